"""What a model says of every test review, and why: predictions.csv, explanations.json, the worst mistakes."""

import json
import sys
import time
import zlib

from torch.nn import functional as F

from common.data.corpus import number_of
from common.data.reviews import read_reviews
from common.data.token_files import read_review_rows
from common.files import replace_file
from common.results.comparisons import in_files
from common.results.explained import FILE, probability_text, show, write_page
from common.results.records import save_table
from common.testing.explanations import explain, telling_words

# Of explanations.json: mistakes, and short reviews of each label, the same for all parts.
MISTAKES, LONGEST, OF_A_LABEL, SHORT = 5, 400, 10, 60
FIRST_WORDS = 25        # of a review in predictions.csv


def accuracy_row(found, labels, weights, started, **first):
    """A row of a test table, printed: accuracy in percent of a model and of its members, mean loss in nats.

    Args:
        found: dict of (reviews,) logits by name, those of the whole as "model"; labels: (reviews,) float.
        weights: checksum of the model's; started: time.perf_counter() before it was asked; first: what the row starts
            with.

    Returns:
        dict of text.
    """
    row = first | {"test accuracy" if name == "model" else f"{name} alone":
                   f"{100 * ((logit >= 0) == (labels > 0.5)).double().mean().item():.2f}"
                   for name, logit in found.items()}
    row["test loss"] = f"{F.binary_cross_entropy_with_logits(found['model'], labels).item():.4f}"
    row |= {"elapsed_s": f"{time.perf_counter() - started:.1f}", "weights": weights}
    print("  ".join(f"{name} {value}" for name, value in row.items() if name != "weights"), flush=True)
    return row


def mark_other_reviews(run, reviews):
    """Say so, and mark all that is written of them, where these are other test Reviews than those of the training."""
    number = number_of(reviews)
    if run.checkpoint["inputs"].get("test reviews", number) != number:
        print(f"{run.options.data}: other test reviews than those of the training; the report leaves out what is found "
              "on them", file=sys.stderr)
        run.checkpoint["weights"] += " on other reviews"


def write_predictions(run, reviews, words_of, found):
    """Write predictions.csv, a line a test review.

    Its columns: file name, film, label, rating, tokens, logit, those of an ensemble's members, probability of the
    positive label, prediction, the checksum of the weights, and the review's first words.

    Args:
        run: a PartTest or a Committee; reviews: all test Reviews; words_of: of read_words; found: of run.classify().
    """
    lengths, probabilities = reviews.host_lengths.tolist(), found["model"].double().sigmoid().tolist()
    logits = {"logit" if name == "model" else f"{name} logit": logit.tolist() for name, logit in found.items()}
    rows = [row | {"label": in_files(row["label"]), "tokens": lengths[k]}
            | {column: f"{some[k]:.6g}" for column, some in logits.items()}
            | {"probability": f"{probabilities[k]:.4f}", "prediction": in_files(run.labels[logits["logit"][k] >= 0]),
               "weights": run.checkpoint["weights"], "text": " ".join(words_of(k, FIRST_WORDS))}
            for k, row in enumerate(labelled_rows(run))]
    save_table(run.options.output / "predictions.csv", rows)
    print(f"wrote {run.options.output / 'predictions.csv'}")


def labelled_rows(run):
    """File name, film, label and rating of each test review that has a label, dicts; a rating of 0 is empty."""
    labels = dict(zip(("neg", "pos"), run.labels))
    return [{"file name": name, "film": film, "label": labels[label], "rating": "" if rating == "0" else rating}
            for name, label, rating, film in read_review_rows(run.options.data / "imdb_test_reviews.tsv")
            if label in labels]


def read_words(run):
    """A function from the index of a labelled test review to its words, unknown ones too, or to the first `count`."""
    reviews, dictionary = read_reviews(run.options.data, "test")
    rows, dictionary = reviews.labelled().rows(), ["<unk>", *dictionary]        # <unk> stands in no training review
    return lambda index, count=None: [dictionary[k] for k in rows[index][:count].tolist()]


def worst_mistakes(reviews, logits, count):
    """Indices of the reviews that a model is most wrong about, the worst first, and the number of all mistakes."""
    wrong = logits.abs() * ((logits >= 0) != (reviews.labels.cpu() > 0.5))      # 0 for a correct review
    worst = wrong.argsort(descending=True, stable=True)
    mistakes = int(wrong.count_nonzero())
    return worst[:min(count, mistakes)].tolist(), mistakes


def explain_tests(run, reviews, words_of, indices):
    """Dicts as from explain() of test reviews, with their name, film, label and rating."""
    about, rows = labelled_rows(run), reviews.rows()
    entries = explain(run, [words_of(index) for index in indices], [rows[index] for index in indices])
    # A positive and a negative review may have one file name.
    return [about[index] | {"name": f"{in_files(about[index]['label'])}/{about[index]['file name']}"} | entry
            for index, entry in zip(indices, entries)]


def write_explanations(run, reviews, words_of, logits):
    """Write explanations.json: some short reviews and the worst mistakes explained, and telling words.

    Args:
        run: a PartTest; reviews: all test Reviews; words_of: of read_words; logits: (reviews,) float, on the CPU.
    """
    about, lengths = labelled_rows(run), reviews.host_lengths.tolist()
    # In an order without pattern that the file names give, so that all parts explain the same.
    short = [k for k in sorted(range(len(about)), key=lambda k: zlib.crc32(about[k]["file name"].encode()))
             if lengths[k] <= SHORT]
    chosen = [k for label in reversed(run.labels)
              for k in [k for k in short if about[k]["label"] == label][:OF_A_LABEL]]
    worst, _ = worst_mistakes(reviews, logits.masked_fill(reviews.host_lengths > LONGEST, 0), MISTAKES)
    entries = explain_tests(run, reviews, words_of, [*chosen, *worst])
    with replace_file(run.options.output / FILE) as file:
        json.dump({"part": run.part, "weights": run.checkpoint["weights"], "how": run.how,
                   "reviews": entries[:len(chosen)], "mistakes": entries[len(chosen):],
                   "telling_words": telling_words(run, reviews, words_of)}, file)
    print(f"wrote {run.options.output / FILE}")


def show_mistakes(run, reviews):
    """Print the --mistakes N reviews that a model is most wrong about, and write them to explanation.html."""
    found, words_of = run.classify(run.whole(reviews)), read_words(run)
    write_predictions(run, reviews, words_of, found)
    worst, mistakes = worst_mistakes(reviews, found["model"].cpu(), run.options.mistakes)
    print(f"{mistakes} mistakes on {len(reviews):,} test reviews")
    if not worst:
        return
    entries = explain_tests(run, reviews, words_of, worst)
    headings = [f"labelled {entry['label']} | {probability_text(entry['logit'], run.labels)} | {entry['file name']}, "
                f"rating {entry['rating'] or 'unknown'}, film {entry['film'] or 'unknown'}" for entry in entries]
    for heading, entry in zip(headings, entries):
        show(heading, entry)
    write_page(run.options.output / "explanation.html", f"Part {run.part}: the worst mistakes", run.how, run.labels,
               list(zip(headings, entries)))
