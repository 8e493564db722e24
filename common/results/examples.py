"""Reviews and words that show what models have learned: explained side by side, telling words, the worst mistakes."""

import html
import sys

from common.errors import UserError
from common.results.explained import as_html, read_explanations
from common.results.sheets import escaped

SHOWN_WORDS = 60            # of a mistake, those around which the model has found the most
TELLING_WORDS = 8           # in either direction
EXAMPLES = 4                # of these, with where they stand
MISTAKES = 2                # of each part


def explanations_of(runs):
    """What tests left in explanations.json, by part; broken ones and those of other weights cost a line.

    Args:
        runs: dict of Run by part.
    """
    found = {}
    for part, run in runs.items():
        try:
            explanations = read_explanations(run.folder)
            if explanations and not run.made(explanations):
                raise UserError(f"{run.folder / 'explanations.json'}: of other weights than record.json; run the "
                                "part's test script again")
        except UserError as error:
            print(f"{error}; left out", file=sys.stderr)
            continue
        if explanations:
            found[part] = explanations
    return found


def is_right(review):
    return review["prediction"] == review["label"]


def disputed(explanations):
    """Names of up to three reviews that the parts disagree most about: one of each label, and the next."""
    parts = [{review["name"]: review for review in some["reviews"]} for some in explanations.values()]
    names = [name for name in parts[0] if all(name in part for part in parts)] if parts else []
    right = {name: sum(is_right(part[name]) for part in parts) for name in names}
    names.sort(key=lambda name: (-right[name] * (len(parts) - right[name]), len(parts[0][name]["words"]), name))
    labels = {parts[0][name]["label"]: name for name in reversed(names)}       # the most disputed of each label
    first = sorted(labels.values(), key=names.index)
    return (first + [name for name in names if name not in first])[:3]


def side_by_side(explanations):
    """The same reviews, explained by each part, as Markdown; explanations: of explanations_of."""
    sections = []
    for name in disputed(explanations):
        reviews = {part: next(review for review in some["reviews"] if review["name"] == name)
                   for part, some in explanations.items()}
        right = [part for part, review in reviews.items() if is_right(review)]
        wrong = [part for part in reviews if part not in right]
        heading = "; ".join([about(next(iter(reviews.values()))), *(
            f"{told}: {', '.join(parts)}" for told, parts in (("right", right), ("wrong", wrong)) if parts)])
        sections.append(f"### {escaped(heading[0].upper() + heading[1:])}\n\n" + reading_table([
            (f"<b>{part}</b> {verdict(review)}", coloured(review)) for part, review in reviews.items()]))
    return "\n\n".join(sections)


def about(review):
    """What the data says of a review."""
    return f"labelled {review['label']}" + f", rating {review['rating']}" * bool(review["rating"])


def verdict(review):
    sure = max(review["probability"], 1 - review["probability"])
    return f"{html.escape(review['prediction'])}, {100 * sure:.0f} % sure {'✓' if is_right(review) else '✗'}"


def coloured(review, words=None):
    """Its words in colours; of a longer one those `words` in a row that add most in either direction."""
    first, last = 0, len(review["words"])
    if words and last > words:
        added = [abs(value) for value in review["contributions"]]
        first = max(range(last - words + 1), key=lambda k: sum(added[k:k + words]))
        last = first + words
    text = as_html(*(review[name][first:last] for name in ("words", "contributions", "known")))
    return "… " * bool(first) + text + " …" * (last < len(review["words"]))


def reading_table(rows):
    """Rows of two cells in HTML: who reads, and what."""
    return '<table class="reading">\n' + "\n".join(
        f"<tr><td>{first}</td><td>{second}</td></tr>" for first, second in rows) + "\n</table>"


def telling_words(explanations):
    """The words that pull most in either direction, a row a part, as Markdown; then two examples of each."""
    rows, examples = [], []
    for part, some in explanations.items():
        pulling = [[word for word in some["telling_words"] if (word["pull"] > 0) == positive]
                   for positive in (True, False)]
        pulling = [sorted(words, key=lambda word: -abs(word["pull"])) for words in pulling]
        rows.append((f"<b>{part}</b>", "<br>".join(" ".join(
            as_html([word["word"]], [word["pull"]], [True]) + f"<small>&nbsp;{word['reviews']:,}</small>"
            for word in words[:TELLING_WORDS]) for words in pulling if words)))
        examples += [(f"<b>{part}</b> {html.escape(word['word'])} <small>{word['pull']:+.2f}</small>",
                      "<br>".join(map(html.escape, word["examples"])))
                     for words in pulling for word in words[:EXAMPLES]]
    return (reading_table(rows), reading_table(examples)) if rows else ("", "")


def worst_mistakes(explanations):
    """Of each part the reviews that it is most sure and wrong about, each review once, as Markdown."""
    rows, seen = [], set()
    for part, some in explanations.items():
        new = [review for review in some["mistakes"] if review["name"] not in seen][:MISTAKES]
        seen.update(review["name"] for review in new)
        rows += [(f"<b>{part}</b> {verdict(review)}<br>{html.escape(about(review))}", coloured(review, SHOWN_WORDS))
                 for review in new]
    return reading_table(rows) if rows else ""
