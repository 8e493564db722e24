"""Why a model predicts what it predicts: what each word adds to the logit, on a terminal and as a page."""

import html
import sys

import torch
from torch import nn

from common.files import replace_file
from common.layers.output import mask_padding

# Shades for the thirds of the largest contribution, told apart by colour-blind readers too: (terminal's
# 256 colours, page's).
POSITIVE = [(189, "#dbe9ff"), (153, "#a6c8ff"), (111, "#6aa5ff")]
NEGATIVE = [(223, "#ffe6cf"), (216, "#ffc08c"), (209, "#ff9a4d")]

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
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
<p><span class="positive3">Blue</span> words made the review more positive,
<span class="negative3">orange</span> words more negative; the darker, the more. Words without a colour made hardly a
difference. Resting the pointer on a word shows what it adds to the logit. The logit is what the words add and the
rest, which is the same for every review or belongs to no single word; above 0 the review is called positive.
&lt;unk&gt; is a word that the model does not know.</p>
{reviews}
</body>
</html>
"""


def mean_contributions(network, batch, vectors, counted):
    """What each token adds to the logits of a network that reads mean word vectors.

    With ReLUs the logit is a linear function of the mean vector m near the review's own: g.m + rest,
    where g is its gradient. A token with vector v among n adds g.v / n; these and the rest sum to the logit.

    Args:
        network: whose first linear layer reads the mean vectors; batch: a Batch.
        vectors: (batch, time, features) float, of the batch's tokens; counted: (batch, time) bool, the tokens that
            the mean is of.

    Returns:
        (batch, time) float.
    """
    means = []

    def keep(_, inputs):
        means.append(inputs[0].detach().requires_grad_())
        return tuple(means)

    first = next(layer for layer in network.modules() if isinstance(layer, nn.Linear))
    with torch.enable_grad(), first.register_forward_pre_hook(keep):
        _, logit = network(batch.x, batch.labels)
        [gradient] = torch.autograd.grad(logit.sum(), means)                    # batch, features
    shares = counted / counted.sum(dim=1, keepdim=True).clamp(min=1)            # batch, time
    return (vectors.detach() @ gradient.float()[:, :, None])[:, :, 0] * shares


def timestep_contributions(network, batch):
    """What each timestep adds to the logits by way of the pooling; with the output's bias these sum to the logit.

    Max pooling takes a feature from the one timestep where it is largest, mean pooling takes an equal
    share of it from all, and last pooling all of it from the last.

    Args:
        network: whose `pooling`, a Pooling, is the input of its `fc_output`.
        batch: a Batch with lengths.

    Returns:
        (batch, time) float, 0 from a review's length on.
    """
    inputs = []
    with network.pooling.register_forward_pre_hook(lambda _, given: inputs.append(given[0])):
        network(batch.x, batch.labels, lengths=batch.lengths)
    kinds = network.pooling.kinds
    added = torch.zeros(batch.x.shape, device=batch.x.device)         # batch, time
    for kind, weight in zip(kinds, network.fc_output.weight[0].chunk(len(kinds))):
        h = mask_padding(inputs[0], kind, batch.lengths).float()                # batch, time, features
        if kind == "max":
            largest, timesteps = h.max(dim=1)                                   # batch, features
            added.scatter_add_(1, timesteps, largest * weight)
        else:
            added += (h * weight).sum(dim=2) / (batch.lengths[:, None] if kind == "mean" else 1)
    return added


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


def show(path, title, reviews):
    """Print reviews with what each word adds to the logit, and write them as a page; arguments as in write_page."""
    for heading, words, contributions in reviews:
        print(f"{heading}\n{as_text(words, contributions, sys.stdout.isatty())}\n")
    write_page(path, title, reviews)
    print(f"wrote {path}")
