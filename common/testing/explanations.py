"""Why a model judged as it did: what each word adds to the logit, on a terminal and as a page."""

import html

import torch

from common.files import replace_file

# Shades for the thirds of the largest contribution, told apart by colour-blind readers too: (terminal's
# 256 colours, page's).
POSITIVE = [(189, "#dbe9ff"), (153, "#a6c8ff"), (111, "#6aa5ff")]
NEGATIVE = [(223, "#ffe6cf"), (216, "#ffc08c"), (209, "#ff9a4d")]

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ max-width: 50em; margin: 2em auto; padding: 0 1em; font: 1em/1.7 sans-serif; color: black; background: white }}
h2 {{ font-size: 1em; margin: 2em 0 0 }}
span {{ padding: 0.1em 0.2em; border-radius: 0.2em }}
{shades}
</style>
</head>
<body>
<h1>{title}</h1>
<p>Words on <span class="positive3">blue</span> made the review more positive, words on
<span class="negative3">orange</span> more negative, the stronger the darker; resting the pointer on a word shows
what it adds to the logit.</p>
{reviews}
</body>
</html>
"""


def bag_contributions(classify, vectors, counted):
    """What each token of a review adds to the logit of a bag of words.

    With ReLUs the logit is a linear function of the mean vector m near the review's own: g.m + rest,
    where g is its gradient. A token with vector v among n adds g.v / n; these and the rest sum to the logit.

    Args:
        classify: (1, features) mean vector -> (1,) logit.
        vectors: (tokens, features) float; counted: (tokens,) bool, the tokens that the mean is of.

    Returns:
        (tokens,) float.
    """
    shares = vectors * (counted / counted.sum().clamp(min=1))[:, None]         # tokens, features
    with torch.enable_grad():
        mean = shares.sum(dim=0, keepdim=True).detach().requires_grad_()
        [gradient] = torch.autograd.grad(classify(mean), mean)                  # 1, features
    return (shares.detach() * gradient).sum(dim=1)


def shade(contribution, largest):
    """0 for a contribution of no account beside the largest, else 1 to 3."""
    share = abs(contribution) / largest if largest else 0
    return sum(share > least for least in (0.05, 1 / 3, 2 / 3))


def as_text(words, contributions, coloured):
    """One line: words in colours, or followed by what they add, such as great(+2.31)."""
    largest = max(map(abs, contributions))
    marked = []
    for word, contribution in zip(words, contributions):
        level = shade(contribution, largest)
        if coloured and level:
            colour, _ = (POSITIVE if contribution > 0 else NEGATIVE)[level - 1]
            marked.append(f"\033[30;48;5;{colour}m{word}\033[0m")
        elif not coloured and round(contribution, 2):
            marked.append(f"{word}({contribution:+.2f})")
        else:
            marked.append(word)
    return " ".join(marked)


def write_page(path, title, reviews):
    """Write a page that needs nothing but itself.

    Args:
        reviews: list of (heading, words, contributions), one a review.
    """
    shades = [f".{sign}{level} {{ background: {colour} }}" for sign, colours in (
        ("positive", POSITIVE), ("negative", NEGATIVE)) for level, (_, colour) in enumerate(colours, 1)]
    paragraphs = []
    for heading, words, contributions in reviews:
        largest = max(map(abs, contributions))
        spans = [f'<span class="{"positive" if contribution > 0 else "negative"}{shade(contribution, largest)}" '
                 f'title="{contribution:+.4f}">{html.escape(word)}</span>'
                 for word, contribution in zip(words, contributions)]
        paragraphs.append(f"<h2>{html.escape(heading)}</h2>\n<p>{' '.join(spans)}</p>")
    with replace_file(path) as file:
        file.write(PAGE.format(title=html.escape(title), shades="\n".join(shades), reviews="\n".join(paragraphs)))
