"""Reviews whose words are coloured by what they add to the logit: as a line of text, as HTML, as a page.

A review is a dict with logit and, a value for each word, words, contributions and known, whether the model knows it.
"""

import html
import math
import string
import sys
from pathlib import Path

from common.files import replace_file

FILE = "explanations.json"
# Shades of a terminal's 256 colours for the thirds of the largest contribution, told apart by colour-blind readers too;
# a page has its own.
POSITIVE, NEGATIVE = [189, 153, 111], [223, 216, 209]
LEGEND = """<div><p><span class="positive3">Blue</span>
words made the review more {positive}, <span class="negative3">orange</span> words more {negative}; the darker, the
more. Words without a colour made hardly a difference, and punctuation is not coloured. An
<span class="unknown">underlined</span> word is one that the model does not know. Resting the pointer on a coloured word
shows what it adds to the logit, which is above 0 where the review is called {positive}: {how}.</p></div>"""
# Of all pages: $title and $body.
PAGE = string.Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))


def probability_text(logit, labels=("negative", "positive")):
    """A prediction in words, such as "negative, 90 % sure"; labels: names of the negative and the positive one."""
    sure = 1 / (1 + math.exp(-min(abs(logit), 100)))
    return f"{labels[logit >= 0]}, {f'{100 * sure:.0f}' if sure < 0.995 else 'over 99'} % sure"


def arithmetic(review):
    """The logit as the sum of what the words add and the rest; the numbers add up as they are shown."""
    shown, words = round(review["logit"], 2), round(sum(review["contributions"]), 2)
    rest = round(shown - words, 2)
    # Adding 0 makes 0 of -0.
    return f"logit {shown + 0:+.2f} = words {words + 0:+.2f}, rest {rest + 0:+.2f}"


def is_punctuation(word):
    """Whether a token is a comma or the like; an exclamation or question mark says something."""
    return not any(letter.isalnum() or letter in "!?" for letter in word)


def shaded(review):
    """Each word of a review, what it adds, whether the model knows it, and its shade: 0 where it is to stay plain,
    else 1 to 3, by how large its contribution is beside the largest."""
    sizes = [0 if is_punctuation(word) else abs(added) for word, added in zip(review["words"], review["contributions"])]
    largest = max(sizes, default=0) or 1
    shades = [sum(size / largest > least for least in (0.05, 1 / 3, 2 / 3)) for size in sizes]
    return zip(review["words"], review["contributions"], review["known"], shades)


def as_text(review, coloured):
    """One line: words in colours, or followed by what they add, such as great(+2.31); unknown ones in brackets."""
    marked = []
    for word, added, is_known, shade in shaded(review):
        word = word if is_known else f"[{word}]"
        if coloured and shade:
            word = f"\033[30;48;5;{(POSITIVE if added > 0 else NEGATIVE)[shade - 1]}m{word}\033[0m"
        elif shade and round(added, 2):
            word = f"{word}({added:+.2f})"
        marked.append(word)
    return " ".join(marked)


def show(heading, review):
    """Print a review, in colours on a terminal."""
    coloured = sys.stdout.isatty()
    small, plain = ("\033[2m", "\033[0m") if coloured else ("", "")
    print(f"{heading}\n{as_text(review, coloured)}\n{small}{arithmetic(review)}{plain}\n", flush=True)


def as_html(review):
    """The words, those in colour or unknown as spans of the classes in page.html with what they add as their title."""
    spans = []
    for word, added, is_known, shade in shaded(review):
        classes = [f"{'positive' if added > 0 else 'negative'}{shade}"] * (shade > 0) + ["unknown"] * (not is_known)
        spans.append(f'<span class="{" ".join(classes)}" title="{added:+.2f}">{html.escape(word)}</span>'
                     if classes else html.escape(word))
    return " ".join(spans)


def write_page(path, title, how, labels, entries):
    """Write a page that needs nothing but itself.

    Args:
        how: what a contribution is; labels: names of the negative and the positive label.
        entries: list of (heading, review).
    """
    reviews = [f"<h3>{html.escape(heading)}</h3>\n<p>{as_html(review)}<br><small>{arithmetic(review)}</small></p>"
               for heading, review in entries]
    negative, positive = map(html.escape, labels)
    with replace_file(path) as file:
        file.write(PAGE.substitute(title=html.escape(title), body="\n".join([
            f"<h1>{html.escape(title)}</h1>", LEGEND.format(positive=positive, negative=negative, how=how), *reviews])))
    print(f"wrote {path}")
