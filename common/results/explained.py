"""Explained reviews as test scripts leave them in explanations.json, and their words in colours."""

import html
import json
import math

from common.errors import UserError

# Told apart by colour-blind readers too; printed as they are shown.
STYLE = """.positive1 { background: #dbe9ff } .positive2 { background: #a6c8ff } .positive3 { background: #6aa5ff }
.negative1 { background: #ffe6cf } .negative2 { background: #ffc08c } .negative3 { background: #ff9a4d }
.unknown { text-decoration: underline dotted } span { print-color-adjust: exact; -webkit-print-color-adjust: exact }"""


def read_explanations(folder):
    """What explanations.json of a folder holds, or None where there is none; UserError if it is broken."""
    path = folder / "explanations.json"
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not the explanations of a test; run the part's test script again") from error


def as_html(words, contributions, known):
    """Words in the colour and shade of what they add to the logit; those that the model does not know are marked."""
    largest, marked = max(map(abs, contributions), default=0) or 1, []
    for word, contribution, is_known in zip(words, contributions, known):
        level = sum(abs(contribution) / largest > least for least in (0.05, 1 / 3, 2 / 3)) if word.strip(",.") else 0
        classes = [f"{'positive' if contribution > 0 else 'negative'}{level}"] * bool(level)
        classes += ["unknown"] * (not is_known)
        marked.append(f'<span class="{" ".join(classes)}" title="{contribution:+.2f}">{html.escape(word)}</span>'
                      if classes else html.escape(word))
    return " ".join(marked)


def probability_text(logit):
    """The sentiment, and how sure a model is of it."""
    return f"{'positive' if logit >= 0 else 'negative'}, {100 / (1 + math.exp(-min(abs(logit), 500))):.0f} % sure"
