"""Reviews that the user gives: read, tokenised as preprocessing did, and classified."""

import json
import sys
import textwrap
from pathlib import Path

import numpy as np
import torch

from common.data.reviews import STOP_WORDS, build_reviews
from common.data.token_files import token_ids
from common.errors import UserError
from common.files import check_folder
from common.parts import ROOT
from common.preprocessing.text_encoding import argument_text, decode_text
from common.testing.explanations import show


def load_tokenizer(folder, fetch=True):
    """The function from a text to its list of tokens that the preprocessed files in a folder were made with.

    The folder's statistics.json says whether their sentences were cut with Punkt parameters learned
    from the sample; without that file they are those of the real reviews, NLTK's punkt_tab. NLTK is
    imported here, so that all else works without it.

    Args:
        fetch: whether punkt_tab is fetched where it is not installed.

    Raises:
        UserError: no NLTK, no punkt_tab, or a broken statistics.json.
    """
    try:
        from common.preprocessing.tokenizer import Tokenizer, learn_sample_punkt, load_punkt
    except ImportError as error:
        raise UserError(f"NLTK: cannot be imported ({error}), and a text is cut into words with it; "
                        "install it with `python -m pip install nltk`") from error
    path = folder / "statistics.json"
    try:
        seed = json.loads(path.read_bytes())["tokenizer"].get("sample_seed") if path.exists() else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: does not say which tokenizer was used ({error}); "
                        "run preprocess_data.py again") from error
    return Tokenizer(load_punkt(fetch) if seed is None else learn_sample_punkt(seed))


def given_texts(options):
    """The reviews of --review and --reviews, as a list of (place, text), the place for messages.

    Raises:
        UserError: a file that is missing, empty or not UTF-8.
    """
    texts = [(f"--review {number}", argument_text(text)) for number, text in enumerate(options.review, 1)]
    return texts if options.reviews is None else texts + read_lines(options.reviews)


def read_lines(path):
    """Lines of a text in Unicode, or of standard input for "-", as a list of (place, line)."""
    name = "standard input" if str(path) == "-" else path
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({error.strerror}); "
                        "give --reviews a text file with one review a line") from error
    if not content.strip():
        raise UserError(f"{name}: no reviews in it; give one a line")
    try:
        text = decode_text(content)
    except UnicodeDecodeError as error:
        line = content[:error.start].count(b"\n") + 1
        raise UserError(f"{name}:{line}: not UTF-8 text; save it as UTF-8") from error
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip().split("\n")
    return [(f"{name}:{number}", line) for number, line in enumerate(lines, 1)]


def encode_reviews(texts, tokenize, vocabulary, drop_stop_words, device):
    """Reviews as preprocessing and reading would give them to the model.

    Args:
        texts: list of (place, text); tokenize: of load_tokenizer.
        vocabulary, drop_stop_words: the words and the option that the model was trained with.

    Returns:
        (words, reviews): the list of words of each review, and their Reviews, unlabelled.

    Raises:
        UserError: a review without a word.
    """
    left_out = STOP_WORDS.intersection(vocabulary) if drop_stop_words else ()
    words = []
    for place, text in texts:
        tokens = tokenize(text)
        if not tokens:
            raise UserError(f"{place}: an empty review; give it some words")
        words.append([token for token in tokens if token not in left_out] or ["<unk>"])
    lengths = np.array([len(review) for review in words])
    ids = token_ids([word for review in words for word in review], vocabulary)
    for (place, _), known in zip(texts, np.add.reduceat(ids > 0, lengths.cumsum() - lengths)):
        if not known:
            print(f"{place}: has no word that the model knows", file=sys.stderr)
    labels, films = [float("nan")] * len(words), [""] * len(words)
    return words, build_reviews(ids, lengths, labels, films, device)


def classify_own_reviews(run):
    """Print the probability of being positive and the sentiment of each review that the options give.

    With --explain also what each word adds to the logit, and as a page in explanation.html.

    Args:
        run: a PartTest.
    """
    options = run.options
    texts = given_texts(options)
    if options.explain:
        check_folder(options.output)
    words, reviews = encode_reviews(texts, load_tokenizer(options.data), run.vocabulary, run.drop_stop_words,
                                    options.device)
    logits = run.classify_whole(reviews)["model"].tolist()
    if options.explain:
        contributions = run.contributions(reviews)
        show(options.output / "explanation.html", f"Part {run.part}: what made the difference",
             [(explained_sentiment(logit, added), tokens, added)
              for logit, added, tokens in zip(logits, contributions, words)])
    else:
        for (_, text), logit in zip(texts, logits):
            print(f"{sentiment(logit)}  {textwrap.shorten(text, 80, placeholder=' ...')}")


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
    texts = [(f"text {number}", text) for number, text in enumerate(texts, 1)]
    if not texts:
        return []
    from common.testing.tables import load_test         # which imports this file

    with torch.random.fork_rng():                       # a test seeds it
        run = load_test(Path(folder), f"--data={data}", f"--device={device}")
    _, reviews = encode_reviews(texts, load_tokenizer(run.options.data), run.vocabulary, run.drop_stop_words,
                                run.options.device)
    return run.classify_whole(reviews)["model"].sigmoid().tolist()


def sentiment(logit):
    """The probability of being positive, and the sentiment, as text."""
    return f"{torch.tensor(logit).sigmoid().item():.4f}  {'positive' if logit >= 0 else 'negative'}"


def explained_sentiment(logit, contributions):
    """sentiment() with what all words add to the logit, and the rest; the numbers add up as they are shown."""
    shown, words = round(logit, 2), round(sum(contributions), 2)
    rest = round(shown - words, 2)
    # Adding 0 makes 0 of -0.
    return f"{sentiment(logit)}  logit {shown + 0:+.2f} = words {words + 0:+.2f}, rest {rest + 0:+.2f}"
