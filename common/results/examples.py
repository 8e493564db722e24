"""Reviews and words that show what models have learned: explained side by side, telling words, the worst mistakes."""

import html
import json
import sys

from common.results.explained import FILE, as_html, probability_text
from common.results.sheets import escaped

SHOWN_WORDS = 60            # of a mistake, those around which the model has found the most
TELLING_WORDS = 8           # in either direction
EXAMPLES = 4                # of these, with where they stand
MISTAKES = 2                # of each part


def explanations_of(runs):
    """What the tests of runs left in explanations.json, by part; broken ones and those of other weights cost a line."""
    found = {}
    for run in runs:
        path = run.folder / FILE
        if not path.exists():
            continue
        try:
            explanations = json.loads(path.read_bytes())
            if explanations["weights"] != run.weights:
                raise ValueError("of other weights than record.json")
            found[run.part] = {name: explanations[name] for name in ("how", "reviews", "mistakes", "telling_words")}
        except (OSError, ValueError, LookupError, TypeError) as error:
            print(f"{path}: {error}; run the part's test script again; left out", file=sys.stderr)
    return found


def is_right(review):
    return review["prediction"] == review["label"]


def disputed(explanations):
    """Names of up to three reviews that the parts disagree most about: one of each label, and the next."""
    parts = [{review["name"]: review for review in some["reviews"]} for some in explanations.values()]
    names = [name for name in parts[0] if all(name in part for part in parts)]
    right = {name: sum(is_right(part[name]) for part in parts) for name in names}
    names.sort(key=lambda name: (-right[name] * (len(parts) - right[name]), len(parts[0][name]["words"]), name))
    labels = {parts[0][name]["label"]: name for name in reversed(names)}       # the most disputed of each label
    return sorted(names, key=lambda name: (name not in labels.values(), names.index(name)))[:3]


def side_by_side(explanations):
    """The same reviews, explained by each part, as Markdown; explanations: of explanations_of."""
    sections = []
    for name in disputed(explanations):
        reviews = {part: next(review for review in some["reviews"] if review["name"] == name)
                   for part, some in explanations.items()}
        told = {"right": [part for part, review in reviews.items() if is_right(review)],
                "wrong": [part for part, review in reviews.items() if not is_right(review)]}
        heading = "; ".join([about(next(iter(reviews.values()))), *(
            f"{name}: {', '.join(parts)}" for name, parts in told.items() if parts)])
        sections += [f"### {escaped(heading)}", reading_table([
            (f"<b>{part}</b> {verdict(review)}", coloured(review)) for part, review in reviews.items()])]
    return "\n\n".join(sections)


def about(review):
    """What the data says of a review."""
    return f"Labelled {review['label']}" + f", rating {review['rating']}" * bool(review["rating"])


def verdict(review):
    return html.escape(probability_text(review["logit"], [review["prediction"]] * 2)) + (
        " ✓" if is_right(review) else " ✗")


def coloured(review, words=None):
    """Its words in colours; of a longer one those `words` in a row that add most in either direction."""
    first, last = 0, len(review["words"])
    if words and last > words:
        added = [abs(value) for value in review["contributions"]]
        first = max(range(last - words + 1), key=lambda k: sum(added[k:k + words]))
        last = first + words
    text = as_html({name: review[name][first:last] for name in ("words", "contributions", "known")})
    return "… " * bool(first) + text + " …" * (last < len(review["words"]))


def reading_table(rows):
    """Rows of two cells in HTML: who reads, and what."""
    return '<table class="reading">\n' + "\n".join(
        f"<tr><td>{first}</td><td>{second}</td></tr>" for first, second in rows) + "\n</table>"


def telling_words(explanations):
    """The words that pull most in either direction, a row a part, as Markdown; then where some of them stand."""
    rows, examples = [], []
    for part, some in explanations.items():
        words = sorted(some["telling_words"], key=lambda word: -abs(word["pull"]))
        sides = [[word for word in words if word["pull"] > 0], [word for word in words if word["pull"] < 0]]
        rows.append((f"<b>{part}</b>", "<br>".join(" ".join(
            as_html({"words": [word["word"]], "contributions": [word["pull"]], "known": [True]})
            + f"<small>&nbsp;{word['reviews']:,}</small>"
            for word in side[:TELLING_WORDS]) for side in sides)))
        examples += [(f"<b>{part}</b> {html.escape(word['word'])} <small>{word['pull']:+.2f}</small>",
                      "<br>".join(map(html.escape, word["examples"]))) for side in sides for word in side[:EXAMPLES]]
    return reading_table(rows), reading_table(examples)


def worst_mistakes(explanations):
    """Of each part the reviews that it is most sure and wrong about, each review once, as Markdown."""
    rows, seen = [], set()
    for part, some in explanations.items():
        new = [review for review in some["mistakes"] if review["name"] not in seen][:MISTAKES]
        seen.update(review["name"] for review in new)
        rows += [(f"<b>{part}</b> {verdict(review)}<br>{html.escape(about(review))}", coloured(review, SHOWN_WORDS))
                 for review in new]
    return reading_table(rows)
