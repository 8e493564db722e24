"""What a model says of every test review, in predictions.csv; and the reviews that it is most wrong about."""

import numpy as np

from common.data.token_files import read_review_rows
from common.results.records import save_table
from common.testing.explanations import show
from common.testing.own_reviews import explained_sentiment

LABELS = {"pos": "positive", "neg": "negative"}


def write_predictions(run, reviews, found):
    """Write predictions.csv, a line a test review.

    Its columns: file name, film, label (pos or neg), rating, tokens, logit, those of an ensemble's members, and the
    checksum of the weights.

    Args:
        run: a PartTest; reviews: all test Reviews; found: their logits by name, as from PartTest.classify.
    """
    lengths = reviews.host_lengths.tolist()
    logits = {"logit" if name == "model" else f"{name} logit": logit.tolist() for name, logit in found.items()}
    rows = []
    for k, (name, label, rating, film) in enumerate(labelled_rows(run.options.data)):
        row = {"file name": name, "film": film, "label": label, "rating": rating, "tokens": lengths[k]}
        rows.append(row | {column: f"{some[k]:.6g}" for column, some in logits.items()} |
                    {"weights": run.checkpoint["weights"]})
    save_table(run.options.output / "predictions.csv", rows)
    print(f"wrote {run.options.output / 'predictions.csv'}")


def labelled_rows(folder):
    """The rows of read_review_rows of the test reviews that have a label; a rating of 0, unknown, is empty."""
    return [(name, label, "" if rating == "0" else rating, film)
            for name, label, rating, film in read_review_rows(folder / "imdb_test_reviews.tsv") if label in LABELS]


def show_mistakes(run, reviews, logits):
    """Print the --mistakes N reviews that a model is most wrong about, and write them to explanation.html.

    Args:
        run: a PartTest; reviews: all test Reviews; logits: (reviews,) float, the model's, on the CPU.
    """
    positive = reviews.labels.cpu() > 0.5
    wrong = logits.abs() * ((logits >= 0) != positive)                          # 0 for a correct review
    worst = wrong.argsort(descending=True, stable=True)[:min(run.options.mistakes, wrong.count_nonzero().item())]
    print(f"{wrong.count_nonzero()} mistakes on {len(reviews):,} test reviews")
    if not len(worst):
        return
    in_order = sorted(worst.tolist())
    chosen = reviews.select(np.isin(np.arange(len(reviews)), in_order))
    token_ids, contributions = dict(zip(in_order, chosen.rows())), dict(zip(in_order, run.contributions(chosen)))
    rows, entries = labelled_rows(run.options.data), []
    for index in worst.tolist():
        name, label, rating, film = rows[index]
        words = [run.vocabulary[k - 1] if k else "<unk>" for k in token_ids[index].tolist()]
        added = contributions[index]
        about = f"{name}, rating {rating or 'unknown'}, film {film or 'unknown'}"
        entries.append((f"labelled {LABELS[label]} | {explained_sentiment(logits[index].item(), added)} | {about}",
                        words, added))
    show(run.options.output / "explanation.html", f"Part {run.part}: the worst mistakes", entries)
