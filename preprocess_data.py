"""Turn film reviews and word vectors into the files that every part reads.

    python preprocess_data.py --sample --glove train                      # no download, seconds
    python preprocess_data.py --download --glove glove.840B.300d.zip      # the real reviews
    python preprocess_data.py --imdb aclImdb_v1.tar.gz --glove train      # the same, from a file

Reads the Large Movie Review Dataset as it is published, tokenises it with NLTK on all cores and
writes to --output: the dictionary, one line of token ids a review, a table of what each line is,
statistics with a figure and, with --glove, word vectors and the same reviews in their ids
(preprocessed_data/README.md describes each file). The 100,000 reviews take about five minutes on
two cores and 1 GiB of memory, with --glove train eight minutes and 1.6 GiB.
"""

import collections
import sys
import time
from pathlib import Path

import nltk
import numpy as np

from common.arguments import Parser, number, path, positive_int
from common.data.token_files import write_array, write_checksums, write_dictionary, write_reviews, write_token_ids
from common.errors import UserError, run_script
from common.files import claim_folder, remove_unfinished
from common.preprocessing.corpus_statistics import (corpus_statistics, plot_statistics, print_statistics,
                                                    write_statistics)
from common.preprocessing.download import IMDB_SHA256, IMDB_URL, download, download_glove
from common.preprocessing.raw_reviews import PUBLISHED_COUNTS, SPLITS, read_reviews, sort_reviews
from common.preprocessing.tokenizer import learn_sample_punkt, load_punkt, tokenize_reviews, usable_cores
from common.preprocessing.vocabulary import MAX_TOKEN_CHARACTERS, build_dictionary, count_tokens, token_ids

# Which files mean nothing beside another GloVe dictionary or other reviews; and which, beside another IMDB dictionary.
GLOVE_FILES = ("glove_embeddings.npy", "imdb_train_glove.txt", "imdb_test_glove.txt")
IMDB_FILES = ("imdb_train.txt", "imdb_test.txt", "imdb_train_reviews.tsv", "imdb_test_reviews.tsv",
              "glove_dictionary.npy", *GLOVE_FILES)


def vectors(text):
    """An argparse type: what --glove takes, a path but for two words."""
    return text if text in ("train", "download") else path(text)


def parse_options():
    parser = Parser(__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--imdb", metavar="PATH", type=path,
                        help="aclImdb_v1.tar.gz, the .tar in it or a .zip (read without unpacking them), an unpacked "
                             "aclImdb folder or the one above it, or the folder of Hugging Face's parquet files")
    source.add_argument("--download", action="store_true",
                        help="fetch aclImdb_v1.tar.gz (84 MB) into the output folder first, unless it is there")
    source.add_argument("--sample", action="store_true",
                        help="2,400 short reviews that the code composes itself; needs no download")
    parser.add_argument("--glove", metavar="PATH",
                        type=vectors,
                        help="word vectors, for 1b, 2b and 3a's recipes: a file such as glove.840B.300d.zip "
                             "(.txt, .vec, .zip or .gz); or `train` to learn them from the training reviews; or "
                             "`download` to fetch GloVe 840B (2.2 GB) into the output folder first, unless it is there")
    parser.add_argument("--glove-words", metavar="N", type=positive_int, default=100_000,
                        help="word vectors to keep, the first in the file")
    parser.add_argument("--output", metavar="DIR", type=path,
                        default=Path(__file__).resolve().parent / "preprocessed_data",
                        help="folder that the files are written to")
    parser.add_argument("--workers", metavar="N", type=positive_int, default=usable_cores(),
                        help="tokenising processes")
    parser.add_argument("--seed", type=number(int, 0, 2 ** 32 - 1), default=0,
                        help="seed of the sample and of trained vectors")
    return parser.parse_args()


def load_reviews(options):
    """Return the raw reviews in file order, the tokenizer of their sentences, and what statistics.json says of it."""
    if options.sample:
        from common.preprocessing.sample_corpus import sample_reviews
        reviews = sort_reviews(sample_reviews(options.seed))
        return (reviews, learn_sample_punkt(options.seed),
                {"sentences": "learned from the sample", "sample_seed": options.seed})
    punkt = load_punkt()  # before the reviews, so that a missing punkt_tab is said at once
    if options.download:
        options.imdb = options.output / "aclImdb_v1.tar.gz"
        print(f"fetching {IMDB_URL}", flush=True)
        download(IMDB_URL, options.imdb, IMDB_SHA256)
    print(f"reading {options.imdb}", flush=True)
    return read_reviews(options.imdb), punkt, {"sentences": "punkt_tab english"}


def describe(reviews, tokenized, words, counts, punkt_source, output):
    """Print what the reviews look like and write it to statistics.json -> (counts by split and label, lengths)."""
    review_counts = collections.Counter((review.split, review.label) for review in reviews)
    lengths = np.diff(tokenized.offsets)[:sum(review.split == "train" for review in reviews)]
    first = tokenized.indices[:tokenized.offsets[1]]
    statistics = {
        "reviews": {split: {label: review_counts[split, label] for label in labels}
                    for split, labels in SPLITS.items()},
        "tokenizer": {"name": "nltk.word_tokenize, lower case", **punkt_source, "nltk_version": nltk.__version__},
        **corpus_statistics(lengths, words, counts),
        "example": {"before": reviews[0].text,
                    "after": " ".join(tokenized.tokens[index] for index in first)},
    }
    print_statistics(statistics)
    write_statistics(output / "statistics.json", statistics)
    return statistics["reviews"], lengths


def main():
    options = parse_options()
    with claim_folder(options.output):
        for name in "imdb_dictionary.npy", *IMDB_FILES:
            remove_unfinished(options.output / name)
        preprocess(options)


def preprocess(options):
    output = options.output
    if options.glove == "download":
        options.glove = download_glove(output)
    reviews, punkt, punkt_source = load_reviews(options)
    glove = None
    if options.glove not in (None, "train"):
        from common.preprocessing.word_vectors import read_word_vectors
        print(f"reading {options.glove}", flush=True)
        glove = read_word_vectors(options.glove, options.glove_words)

    print(f"tokenising {len(reviews):,} reviews with {options.workers} processes", flush=True)
    start = time.perf_counter()
    tokenized = tokenize_reviews([review.text for review in reviews], punkt, options.workers)
    print(f"tokenised in {time.perf_counter() - start:.1f} s")
    tokens, indices, offsets = tokenized.tokens, tokenized.indices, tokenized.offsets
    train_count = sum(review.split == "train" for review in reviews)
    train, test = offsets[:train_count + 1], offsets[train_count:]

    words, counts = count_tokens(tokens, indices[:train[-1]])
    dictionary = build_dictionary(words)
    if not dictionary:
        raise UserError(f"{options.imdb}: the training reviews hold no tokens; give other reviews")
    review_counts, lengths = describe(reviews, tokenized, words, counts, punkt_source, output)

    notes = []      # said at the end, where they are seen
    if len(dictionary) < len(words):
        notes.append(f"{len(words) - len(dictionary):,} distinct tokens of more than {MAX_TOKEN_CHARACTERS} characters "
                     "are read as the unknown token")
    if not options.sample and review_counts != PUBLISHED_COUNTS:
        notes.append("these are not the published reviews, or not all of them: those are 12,500 pos, 12,500 neg and "
                     "50,000 unsup in train, 12,500 pos and 12,500 neg in test")
    ids = token_ids(tokens, dictionary)[indices]
    write_dictionary(output / "imdb_dictionary.npy", dictionary, IMDB_FILES)
    write_token_ids(output / "imdb_train.txt", ids, train, GLOVE_FILES)
    write_token_ids(output / "imdb_test.txt", ids, test, GLOVE_FILES)
    write_reviews(output / "imdb_train_reviews.tsv", reviews[:train_count])
    write_reviews(output / "imdb_test_reviews.tsv", reviews[train_count:])
    write_checksums(output, ("imdb_dictionary.npy", *IMDB_FILES))
    print(f"written to {output}: the reviews, with {len(dictionary):,} words", flush=True)

    if options.glove == "train":
        from common.preprocessing.glove import nearest, train_glove
        glove = train_glove(ids[:train[-1]], train, dictionary, options.glove_words, seed=options.seed)
        for word in ("great", "terrible", "actor", "scary"):
            if word in glove[0]:
                print(f"nearest to {word}: {' '.join(nearest(*glove, word))}")
    if glove:
        glove_words, vectors = glove
        ids = token_ids(tokens, glove_words)[indices]
        known = np.mean(ids[:train[-1]] > 0)
        if not known:
            raise UserError(f"{options.glove}: none of its {len(glove_words):,} words, such as {glove_words[0]!r}, "
                            "occurs in the training reviews; give vectors of English words in lower case")
        if known < 0.5:
            notes.append(f"only {known:.2%} of the training tokens have a word vector: are these vectors of English "
                         "words, in lower case, and enough of them?")
        write_dictionary(output / "glove_dictionary.npy", glove_words, GLOVE_FILES)
        write_array(output / "glove_embeddings.npy", np.vstack([np.zeros_like(vectors[:1]), vectors]))
        write_token_ids(output / "imdb_train_glove.txt", ids, train)
        write_token_ids(output / "imdb_test_glove.txt", ids, test)
        write_checksums(output, ("imdb_dictionary.npy", *IMDB_FILES))
        print(f"written to {output}: {len(glove_words):,} word vectors of width {vectors.shape[1]}; "
              f"{known:.2%} of the training tokens have one")
    plot_statistics(output / "statistics.png", lengths, counts)      # last: a figure is no reason to lose the rest
    for note in notes:
        print(note, file=sys.stderr)


if __name__ == "__main__":
    run_script(main)
