"""Reviews that the user gives: read, tokenised as preprocessing did, and classified."""

import functools
import io
import sys

import numpy as np
import torch

from common.data.token_files import read_json, token_ids
from common.errors import UserError
from common.files import check_folder
from common.parts import ROOT
from common.preprocessing.text_cleaning import argument_text, clean, decode_text
from common.results.explained import probability_text, show, write_page
from common.results.records import save_table
from common.testing.explanations import explain


def load_tokenizer(folder, fetch=True):
    """The function from a text to its list of tokens that the preprocessed files in a folder were made with.

    Their statistics.json says whether sentences were cut with Punkt parameters learned from the sample; without that
    file they are NLTK's punkt_tab. NLTK is imported here, so that all else works without it.

    Args:
        fetch: whether punkt_tab is fetched where it is not installed.

    Raises:
        UserError: no NLTK or no punkt_tab.
    """
    try:
        from common.preprocessing.tokenizer import learn_sample_punkt, load_punkt, tokenize
    except ImportError as error:
        raise UserError(f"NLTK: cannot be imported ({error}), and a text is cut into words with it; "
                        "install it with `python -m pip install nltk`") from error
    seed = (read_json(folder / "statistics.json").get("tokenizer") or {}).get("sample_seed")
    return functools.partial(tokenize, punkt=load_punkt(fetch) if seed is None else learn_sample_punkt(seed))


def given_texts(options):
    """The reviews of --review and --reviews, as lists of those that are answered together.

    Those of a file are one list with those of --review; what is typed at a terminal comes line by line.

    Raises:
        UserError: a file that is missing, empty or not UTF-8.
    """
    texts = [argument_text(text) for text in options.review]
    if str(options.reviews) == "-" and sys.stdin.isatty():
        yield texts
        print("type a review and press Enter; Ctrl-D ends", flush=True)
        for line in sys.stdin.buffer:
            yield [line.decode(errors="replace")]
    else:
        yield texts + ([] if options.reviews is None else read_texts(options.reviews, options.text))


def read_texts(path, column=None):
    """Reviews of a table, or one a line of a text file or for "-" of standard input: a list of str."""
    if column or path.suffix.lower() in (".csv", ".tsv"):
        from common.preprocessing.csv_tables import read_columns        # which the parts need for nothing else

        return [text for _, text in read_columns(path, column or "text")]
    name = "standard input" if str(path) == "-" else path
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({error.strerror}); "
                        "give --reviews a text file with one review a line") from error
    if not content.strip():
        raise UserError(f"{name}: no reviews in it; give one a line")
    try:
        return [line.removesuffix("\n") for line in io.StringIO(decode_text(content), newline=None)]
    except UnicodeDecodeError as error:
        line = content[:error.start].count(b"\n") + 1
        raise UserError(f"{name}:{line}: not UTF-8 text; save it as UTF-8") from error


def encode_reviews(texts, tokenize, vocabulary):
    """The words of each text and an int32 array of their ids, as preprocessing would give them: two lists."""
    words = [tokenize(text) for text in texts]
    ids = token_ids([word for review in words for word in review], vocabulary)
    return words, np.split(ids, np.cumsum([len(review) for review in words])[:-1])


def explain_texts(run, tokenize, texts, with_contributions):
    """What a PartTest's model says of texts: dicts as from explain(), None for a text without a word."""
    words, rows = encode_reviews(texts, tokenize, run.vocabulary)
    entries = iter(explain(run, [some for some in words if some], [row for row in rows if len(row)],
                           with_contributions))
    return [next(entries) if some else None for some in words]


def classify_own_reviews(run):
    """Print what a PartTest's model says of each review that the options give; write those of a file to a table.

    With --explain also what each word adds to the logit, and as a page in explanation.html. --reviews writes
    reviews.csv: text, probability of the positive label, prediction; an empty line stays an empty line.
    """
    options, tokenize = run.options, load_tokenizer(run.options.data)
    for number, text in enumerate(options.review, 1):
        if not tokenize(argument_text(text)):
            raise UserError(f"--review {number}: an empty review; give it some words")
    if options.explain or options.reviews:
        check_folder(options.output)
    table, entries = [], []
    for texts in given_texts(options):
        for text, entry in zip(texts, explain_texts(run, tokenize, texts, options.explain)):
            row, heading = {"text": text, "probability": "", "prediction": ""}, ""
            if entry:
                row |= {"probability": f"{entry['probability']:.4f}", "prediction": entry["prediction"]}
                heading = heading_of(entry, run.labels)
            shown = f"{row['probability']}  {heading}"  # the number for scripts that read on, the words for people
            if entry and options.explain:
                show(shown, entry)
                entries.append((heading, entry))
            else:
                print(f"{shown}  {shortened(text)}".strip(), flush=True)
            table.append(row)
    if options.reviews:
        save_table(options.output / "reviews.csv", table)
        print(f"wrote {options.output / 'reviews.csv'}")
    if entries:
        write_page(options.output / "explanation.html", f"Part {run.part}: what made the difference", run.how,
                   run.labels, entries)


def heading_of(entry, labels):
    """The prediction of an entry as from explain(), and how many words are unknown if they are most."""
    known, count = sum(entry["known"]), len(entry["known"])
    note = f" ({count - known} of its {count} words unknown to the model)" if 2 * known < count else ""
    return probability_text(entry["logit"], labels) + note


def shortened(text, width=80):
    """A text on one line of at most so many characters, without what steers a terminal."""
    text = clean(text)
    return text if len(text) <= width else text[:width - 3].rsplit(" ", 1)[0] + " ..."


def classify_texts(folder, texts, data=ROOT / "preprocessed_data", device="auto"):
    """Classify texts with a trained model, for Python.

        >>> from common.testing.own_reviews import classify_texts
        >>> classify_texts("2a", ["A great film.", "I want my money back."])
        [0.9712, 0.0348]

    Args:
        folder: where a part's training script has written its results, such as "2a".
        texts: list of str, as people write reviews.
        data: the preprocessed files that the model was trained on.
        device: "auto", "cpu" or "cuda".

    Returns:
        list of float, the probability that each text is positive.

    Raises:
        UserError: no trained classifier in the folder, other data than it was trained on, or a text without a word.
    """
    texts = list(texts)
    if not texts:
        return []
    from common.testing.part_test import load_test         # which imports this file

    for number, text in enumerate(texts, 1):
        if not isinstance(text, str):
            raise UserError(f"text {number}: not a text, but {text!r}; leave it out")
    with torch.random.fork_rng():                       # a test seeds it
        run = load_test(folder, f"--data={data}", f"--device={device}")
    entries = explain_texts(run, load_tokenizer(run.options.data), texts, with_contributions=False)
    if None in entries:
        raise UserError(f"text {entries.index(None) + 1}: an empty review; give it some words")
    return [entry["probability"] for entry in entries]
