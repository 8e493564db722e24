"""Text from bytes, and one spelling of it wherever it comes from: reviews, prompts and texts of one's own."""

import html
import json
import re
import unicodedata


def decode_text(content):
    """Decode UTF-8, or UTF-16 or UTF-32 where a byte order mark or the place of the NULs shows it.

    Raises:
        UnicodeDecodeError: the bytes are something else.
    """
    return content.decode(json.detect_encoding(content))        # JSON may be in any of these


def decode_any(content):
    """Decode Unicode, else Windows-1252 -> (text, whether it is Unicode)."""
    try:
        return decode_text(content), True
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace"), False


def argument_text(argument):
    """A command-line argument read as UTF-8, whatever the locale; of bytes that are not, U+FFFD."""
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class _Signs(dict):
    """What each character is read as, for str.translate; of most it is found when the character first occurs."""

    # Kinds of Unicode's compatibility characters that are another drawing of the same letters, such as a ligature.
    SAME = {"<wide>", "<narrow>", "<small>", "<font>", "<noBreak>", "<compat>",
            "<initial>", "<medial>", "<final>", "<isolated>"}

    def __missing__(self, code):
        character = chr(code)
        kind, _, letters = unicodedata.decomposition(character).partition(" ")
        if unicodedata.category(character) == "Cc" and not character.isspace():
            self[code] = " "
        elif kind in self.SAME and not letters.startswith("0020"):              # a lone accent is a space and an accent
            self[code] = unicodedata.normalize("NFKC", character).translate(self)       # some are drawn of signs
        else:
            self[code] = character
        return self[code]


_SIGNS = _Signs(str.maketrans(
    {sign: "'" for sign in "\u2018\u2019\u201a\u201b\u2032\u2035\u2039\u203a\u275b\u275c\ua78c\uff07\u055a"
                           "\u02b9\u02bb\u02bc\u02bd\u02c8\u02ca\u02cb`\u00b4\uff40"}
    | {sign: '"' for sign in "\u201c\u201d\u201e\u201f\u2033\u2036\u00ab\u00bb\u275d\u275e\u301d\u301e\u02ba\u02ee"}
    | {sign: "-" for sign in "\u2010\u2011\u2012\u2013\u2212"} | {"\u2014": "--", "\u2015": "--", "\u2026": "..."}
    # What nobody sees: soft hyphens, marks of width and direction, whether a sign is drawn as an emoji.
    | {sign: "" for sign in "\u00ad\u200b\u2060\ufeff\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
                            "\u2066\u2067\u2068\u2069\ufe0e\ufe0f"}))
# Windows-1252 that was read as Latin-1 has its quotes and dashes among the control characters.
_SIGNS.update({code: sign.translate(_SIGNS) for code in range(0x80, 0xa0)
               if (sign := bytes([code]).decode("cp1252", "ignore"))})
_SIGNS[0x96] = " "                                                              # as the assignment has it

_ENTITY = re.compile(r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]*);")
_TAG = re.compile(r"</?(?:br|hr|p|div|span|i|b|u|em|strong|blockquote|ul|ol|li|a)\b(?:\s+[\w-]+=[^<>]*)?\s*/?>", re.I)
# UTF-8 that was read as Windows-1252 or Latin-1: punctuation, accented letters, emoji.
_BYTES = {bytes([byte]).decode("cp1252", "ignore"): byte for byte in range(0x80, 0xa0)}
_LATER = "[\u0080-\u00bf" + "".join(_BYTES) + "]"
_MISREAD = re.compile(f"\u00e2[\u20ac\u0080]{_LATER}|[\u00c2\u00c3]{_LATER}|\u00f0[\u0178\u009f]{_LATER}{_LATER}")


def clean(text):
    """Bring the spellings of one text to one, with single spaces between its words.

    Entities and tags of HTML, typographic signs, ligatures, split accents, and what else is typed for an
    apostrophe become what a keyboard types in plain English text. All that reads text goes through here, so
    that the same text gives the same words wherever it comes from. clean(clean(text)) is clean(text).
    """
    text = _plain(text)
    while "&" in text and text != (text := _plain(_ENTITY.sub(lambda match: html.unescape(match[0]), text))):
        pass                                                                    # &amp;#39; is an entity of an entity
    return " ".join(_TAG.sub(" ", text).split())


def _plain(text):
    if text.isascii() and text.isprintable() and "`" not in text:
        return text
    text = unicodedata.normalize("NFC", _MISREAD.sub(_read_again, text)).replace("``", '"')
    return unicodedata.normalize("NFC", text.translate(_SIGNS))


def _read_again(match):
    return bytes(_BYTES.get(character, ord(character)) for character in match[0]).decode(errors="replace")
