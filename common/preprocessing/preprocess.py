"""From raw reviews and word vectors to the files that every part reads."""

import collections
import sys

import nltk
import numpy as np

from common.data.token_files import (CHECKSUMS, MAX_TOKEN_CHARACTERS, token_ids, write_array, write_checksums,
                                     write_json, write_reviews, write_token_ids)
from common.errors import UserError
from common.files import remove_unfinished
from common.preprocessing.corpus_statistics import corpus_statistics, count_tokens, print_statistics
from common.preprocessing.csv_tables import read_tables
from common.preprocessing.download import GLOVE_SHA256, GLOVE_URLS, IMDB_SHA256, IMDB_URLS, download
from common.preprocessing.raw_reviews import PUBLISHED, SPLITS, read_reviews, text_checksum
from common.preprocessing.sample_corpus import sample_reviews
from common.preprocessing.tokenizer import learn_sample_punkt, load_punkt, tokenize_reviews, usable_cores
from common.preprocessing.word_vectors import read_word_vectors

FILES = ("imdb_dictionary.npy", "imdb_train.txt", "imdb_test.txt", "imdb_train_reviews.tsv", "imdb_test_reviews.tsv",
         "glove_dictionary.npy", "glove_embeddings.npy", "imdb_train_glove.txt", "imdb_test_glove.txt")


def load_reviews(options):
    """Return the raw reviews in file order, the tokenizer of their sentences, and what statistics.json says of them."""
    if options.sample:
        return (sample_reviews(options.seed), learn_sample_punkt(options.seed),
                {"tokenizer": {"sentences": "learned from the sample", "sample_seed": options.seed}})
    punkt = load_punkt()  # before the reviews, so that a missing punkt_tab is said at once
    found = {"tokenizer": {"sentences": "punkt_tab english"}}
    if options.csv:
        train, test = options.csv
        reviews, names = read_tables(train, test, options.text or "text", options.label or "label")
        print(f"labels: {names[1]!r}, whose probability a model gives, and {names[0]!r}")
        return reviews, punkt, {"labels": names, **found}
    if options.download:
        options.imdb = options.output / "aclImdb_v1.tar.gz"
        download(IMDB_URLS, options.imdb, IMDB_SHA256, "--imdb")
    print(f"reading {options.imdb}", flush=True)
    return read_reviews(options.imdb), punkt, found


def preprocess(options, sources):
    """Write the preprocessed files that the options of preprocess_data.py ask for.

    The folder is claimed; `sources` is noted in checksums.json, so that the same work is not done twice.
    """
    output = options.output
    if options.glove == "download":
        options.glove = output / "glove.840B.300d.zip"
        download(GLOVE_URLS, options.glove, GLOVE_SHA256, "--glove")
    reviews, punkt, found = load_reviews(options)
    glove = None
    if options.glove not in (None, "train"):
        print(f"reading {options.glove}", flush=True)
        glove = read_word_vectors(options.glove, options.glove_words)

    workers = options.workers or usable_cores()
    print(f"tokenising {len(reviews):,} reviews with {workers} processes", flush=True)
    tokens, indices, offsets = tokenize_reviews([review.text for review in reviews], punkt, workers)
    train_count = sum(review.split == "train" for review in reviews)
    train, test = offsets[:train_count + 1], offsets[train_count:]

    words, counts = count_tokens(tokens, indices[:train[-1]])
    dictionary = [word for word in words if len(word) <= MAX_TOKEN_CHARACTERS]
    if not dictionary:
        raise UserError(f"{options.imdb or options.csv[0]}: the training reviews hold no tokens; give other reviews")
    review_counts = collections.Counter((review.split, review.label) for review in reviews)
    statistics = {
        **found,
        "arguments": options.arguments,
        "reviews": {split: {label: review_counts[split, label] for label in labels}
                    for split, labels in SPLITS.items()},
        "tokenizer": {"name": "nltk.word_tokenize, lower case", **found["tokenizer"], "nltk_version": nltk.__version__},
        "test_texts": text_checksum(reviews, "test"),
        **corpus_statistics(np.diff(train), words, counts),
        "example": {"before": reviews[0].text, "after": " ".join(tokens[index] for index in indices[:offsets[1]])}}
    print_statistics(statistics)
    if options.imdb and (statistics["reviews"], statistics["test_texts"]) != PUBLISHED:
        print("these are not the published reviews, or not all of them: those are 12,500 pos, 12,500 neg and "
              "50,000 unsup in train, 12,500 pos and 12,500 neg in test", file=sys.stderr)
    if np.mean([len(review.text) > 20 * len(review.text.split()) for review in reviews[:1000]]) > 0.5:
        print("these texts have few spaces between words, as in Chinese, Japanese or Thai, so that whole sentences are "
              "read as one token; put spaces between the words first", file=sys.stderr)

    for name in CHECKSUMS, *FILES:                      # none of before stays beside others, even if this run is killed
        remove_unfinished(output / name)
        (output / name).unlink(missing_ok=True)
    ids = token_ids(tokens, dictionary)[indices]
    write_json(output / "statistics.json", statistics)
    write_array(output / "imdb_dictionary.npy", np.array(dictionary))
    write_token_ids(output / "imdb_train.txt", ids, train)
    write_token_ids(output / "imdb_test.txt", ids, test)
    write_reviews(output / "imdb_train_reviews.tsv", reviews[:train_count])
    write_reviews(output / "imdb_test_reviews.tsv", reviews[train_count:])
    write_checksums(output, FILES, {**sources, "vectors": None})
    print(f"written to {output}: the reviews, with {len(dictionary):,} words", flush=True)

    if options.glove == "train":
        from common.preprocessing.glove import train_glove                      # torch
        glove = train_glove(ids[:train[-1]], train, dictionary, options.glove_words, seed=options.seed)
    if glove:
        words, vectors = glove
        write_vectors(options, words, vectors, token_ids(tokens, words)[indices], train, test)
        write_checksums(output, FILES, sources)


def write_vectors(options, words, vectors, ids, train, test):
    """Write word vectors and the reviews in their ids.

    Args:
        words: list of str; vectors: float32 (words, width).
        ids: int32 (total tokens,); train, test: where in them the reviews of either split start and end.
    """
    known = np.mean(ids[:train[-1]] > 0)
    if not known:
        raise UserError(f"{options.glove}: none of its {len(words):,} words, such as {words[0]!r}, "
                        "occurs in the training reviews; give vectors of English words in lower case")
    write_array(options.output / "glove_dictionary.npy", np.array(words))
    write_array(options.output / "glove_embeddings.npy", np.vstack([np.zeros_like(vectors[:1]), vectors]))
    write_token_ids(options.output / "imdb_train_glove.txt", ids, train)
    write_token_ids(options.output / "imdb_test_glove.txt", ids, test)
    print(f"written to {options.output}: {len(words):,} word vectors of width {vectors.shape[1]}; "
          f"{known:.2%} of the training tokens have one")
    if known < 0.5:
        print(f"only {known:.2%} of the training tokens have a word vector: are these vectors of English words, "
              "in lower case, and enough of them?", file=sys.stderr)
