"""Bytes to text where nobody has said how they are encoded, and typography to what the reviews have."""

import codecs
import unicodedata

# In this order: UTF-32's little-endian mark begins with UTF-16's.
MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF32_LE: "utf-32-le", codecs.BOM_UTF32_BE: "utf-32-be",
         codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
# At which of each four bytes English text has NULs.
NULS = {(False, True, False, True): "utf-16-le", (True, False, True, False): "utf-16-be",
        (False, True, True, True): "utf-32-le", (True, True, True, False): "utf-32-be"}
# What phones and word processors type, as the reviews have it.
TYPOGRAPHY = str.maketrans({
    "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'", "\u02bc": "'",             # single quotes, apostrophe
    "\u00b4": "'", "\u2032": "'", "\u2039": "'", "\u203a": "'",                           # accent, prime, guillemets
    "\u00ab": '"', "\u00bb": '"', "\u2033": '"',
    "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u201f": '"',                          # double quotes
    "\u2013": "-", "\u2014": "--", "\u2011": "-", "\u2026": "...",                       # dashes, hyphen, ellipsis
    "\u00ad": "", "\u200b": "", "\u2060": "", "\ufeff": ""})                             # what nobody sees


def decode_text(content):
    """Decode UTF-8, or UTF-16 or UTF-32 where a byte order mark or the place of the NULs shows it.

    Raises:
        UnicodeDecodeError: the bytes are something else.
    """
    for mark, encoding in MARKS.items():
        if content.startswith(mark):
            return content[len(mark):].decode(encoding)
    nuls = tuple(content[k::4].count(0) > len(content) / 8 for k in range(4))
    return content.decode(NULS.get(nuls, "utf-8"))


def as_in_reviews(text):
    """Write typographic quotes, dashes, dots and split accents, which the reviews hardly have, as the reviews do."""
    return unicodedata.normalize("NFC", text).translate(TYPOGRAPHY)


def argument_text(argument):
    """A command-line argument read as UTF-8, whatever the locale; of bytes that are not, U+FFFD."""
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
