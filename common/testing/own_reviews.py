"""Reviews that the user gives: read, tokenised as preprocessing did, and classified."""

import json
import sys
import textwrap

import numpy as np
import torch

from common.data.reviews import build_reviews
from common.data.stop_words import STOP_WORDS
from common.devices import autocast
from common.errors import UserError
from common.files import check_folder
from common.preprocessing.text_encoding import decode_text
from common.preprocessing.vocabulary import token_ids
from common.testing.explanations import as_text, write_page


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
        from common.preprocessing.tokenizer import as_in_reviews, learn_sample_punkt, load_punkt, tokenize
    except ImportError as error:
        raise UserError(f"NLTK: cannot be imported ({error}), and a text is cut into words with it; "
                        "install it with `python -m pip install nltk`") from error
    path = folder / "statistics.json"
    try:
        seed = json.loads(path.read_bytes())["tokenizer"].get("sample_seed") if path.exists() else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: does not say which tokenizer was used ({error}); "
                        "run preprocess_data.py again") from error
    punkt = load_punkt(fetch) if seed is None else learn_sample_punkt(seed)
    return lambda text: tokenize(as_in_reviews(text), punkt)


def given_texts(options):
    """The reviews of --review and --reviews, as a list of (place, text), the place for messages.

    Raises:
        UserError: a file that is missing, empty or not UTF-8.
    """
    # An argument that is not UTF-8 could be neither looked up nor written.
    texts = [(f"--review {number}", text.encode("utf-8", "replace").decode())
             for number, text in enumerate(options.review, 1)]
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
    lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
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
    nothing = [float("nan")] * len(words), [""] * len(words)                    # labels and films
    return words, build_reviews(ids, lengths, *nothing, device)


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
    batches = run.whole_batches(reviews)
    logits = run.classify(run.whole(reviews), batches)["model"].tolist()
    contributions = [None] * len(texts)
    if options.explain:
        with torch.no_grad(), autocast(options):
            for indices in batches:
                for index, added in zip(indices.tolist(), run.contributions(reviews, indices)):
                    contributions[index] = added

    explained = []
    for (_, text), tokens, logit, added in zip(texts, words, logits, contributions):
        probability = torch.tensor(logit).sigmoid().item()
        verdict = f"{probability:.4f}  {'positive' if logit >= 0 else 'negative'}"
        if options.explain:
            total = sum(added)
            verdict += f"  logit {logit:+.2f} = words {total:+.2f}, rest {logit - total:+.2f}"
            print(f"{verdict}\n{as_text(tokens, added, sys.stdout.isatty())}\n")
            explained.append((verdict, tokens, added))
        else:
            print(f"{verdict}  {textwrap.shorten(text, 80, placeholder=' ...')}")
    if options.explain:
        write_page(options.output / "explanation.html", f"Part {run.part}: what made the difference", explained)
        print(f"wrote {options.output / 'explanation.html'}")
