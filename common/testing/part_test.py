"""The parts' test scripts: a trained model, the test reviews or one's own, and a table."""

import abc
import importlib.util
import time
from pathlib import Path

import numpy as np
import torch

from common.checkpoints import check_words, load_checkpoint
from common.data.batches import BagsOfWords, Crops, MeanVectors, WholeReviews
from common.data.pseudo_labels import write_pseudo_labels
from common.data.reviews import build_reviews, read_glove_embeddings, read_reviews
from common.data.splits import check_count
from common.data.token_files import read_dictionary, read_label_names
from common.devices import autocast, describe_run, set_up
from common.errors import UserError
from common.files import check_folder
from common.layers.ngram_ensemble import Ensemble, member_logits, rebuild
from common.options import LSTM_TEST_DEFAULTS, parse_options
from common.parts import PARTS, ROOT
from common.results.records import read_run, save_table
from common.testing.explanations import bag_contributions, word_contributions
from common.testing.own_reviews import classify_own_reviews
from common.testing.predictions import (accuracy_row, mark_other_reviews, read_words, show_mistakes,
                                        write_explanations, write_predictions)


def load_model(checkpoint, path, table):
    """The trained model of a checkpoint; table: the word vectors of a network that looks up token ids in its `table`.

    Raises:
        UserError: the model file that the checkpoint names is outside the project, or no longer fits.
    """
    file, name = checkpoint["network"]["file"], checkpoint["network"]["class"]
    try:
        if ROOT not in (ROOT / file).resolve().parents:             # a checkpoint is data, and names no code elsewhere
            raise ValueError
        spec = importlib.util.spec_from_file_location(name, ROOT / file)        # parts have model files of one name
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        network = getattr(module, name)(**checkpoint["arguments"])
        network.table = table
        return rebuild(network, checkpoint)
    except (OSError, ValueError, LookupError, AttributeError, TypeError, RuntimeError) as error:
        raise UserError(f"{path}: a model of {name} in {file or 'a notebook'}, which is not there or was changed; "
                        "put it there as it was, or train again") from error


class PartTest(abc.ABC):
    """A trained model of one part, ready to be tested.

    Args:
        part: "1a" to "3c".
        options: of parse_options.

    Raises:
        UserError: no trained model in options.output, or other data in options.data than it was trained on.
    """

    def __init__(self, part, options):
        set_up(options)
        self.part, self.options, self.words = part, options, PARTS[part].words
        path = options.output / PARTS[part].model
        self.checkpoint = load_checkpoint(path, part, options.device)
        self.vocabulary = self.checkpoint["vocabulary"]
        self.labels = read_label_names(options.data)
        vocabulary = read_dictionary(options.data, self.words)[:len(self.vocabulary)]
        self.glove = None if self.words == "imdb" else read_glove_embeddings(
            options.data, len(vocabulary), options.device)                      # words + 1, dimensions
        check_words(self.checkpoint, path, vocabulary, self.glove)
        self.model = load_model(self.checkpoint, path, self.glove).to(options.device)
        self.table = self.model.ngrams.table if isinstance(self.model, Ensemble) else None

    @abc.abstractmethod
    def whole(self, reviews):
        """ReviewData of whole Reviews, read as in training."""

    @abc.abstractmethod
    def contributions(self, rows, places):
        """What words add to the logits of reviews; the property `how` says in which sense.

        Args:
            rows: list of int arrays, the token ids of reviews; places: for each a list of which of its words are asked
                for.

        Returns:
            list of (places,) float arrays.
        """

    def crop_rows(self, reviews):
        """The rows of the test table that are of crops."""
        return []

    def run(self):
        """Test the model, or classify other reviews where the options ask for it."""
        print(f"part {self.part} | {describe_run(self.options)}")
        if self.options.review or self.options.reviews:
            return classify_own_reviews(self)
        check_folder(self.options.output)
        if self.options.unlabelled:
            return self.write_pseudo_labels()
        reviews = self.read_reviews("test")
        mark_other_reviews(self, reviews)
        if self.options.mistakes:
            return show_mistakes(self, reviews)
        self.test(reviews)

    def read_reviews(self, split):
        """The labelled test Reviews, or the unlabelled training Reviews."""
        reviews, _ = read_reviews(self.options.data, split, self.words, len(self.vocabulary), self.options.device)
        reviews = reviews.select(reviews.labels.isnan().cpu().numpy() == (split == "train"))
        check_count(reviews, "unlabelled training" if split == "train" else split, self.options.data)
        return reviews

    def write_pseudo_labels(self):
        """Write pseudo_labels.npz: the probability that each training review without a label is positive."""
        found = self.classify(self.whole(self.read_reviews("train")))["model"].sigmoid()
        path = self.options.output / "pseudo_labels.npz"
        write_pseudo_labels(path, found, self.options.data, self.part, self.checkpoint["options"])
        print(f"wrote {path}: {(found >= 0.5).sum():,} of {len(found):,} unlabelled reviews positive")

    def classify(self, data):
        """Logits of the reviews of a ReviewData.

        Returns:
            dict of (reviews,) float32 tensors: those of the "model", and of an ensemble's members.
        """
        found = {}
        with torch.inference_mode(), autocast(self.options):
            for indices in data.batches(self.options.batch_size):
                for name, logit in member_logits(self.model, data.batch(indices)).items():
                    logits = found.setdefault(name, torch.empty_like(data.reviews.labels))
                    logits[indices.to(logits.device)] = logit.float()      # bfloat16 of a plain nn.Linear
        return found

    def row(self, data, **first):
        """A row of the table, printed, of what the model says of a ReviewData.

        Returns:
            (row, found): of accuracy_row, and the logits as from classify().
        """
        started = time.perf_counter()
        found = self.classify(data)
        return accuracy_row(found, data.reviews.labels, self.checkpoint["weights"], started, **first), found

    def test(self, reviews):
        """Test on Reviews, and write test_table.csv and, of whole reviews, predictions.csv and explanations.json."""
        rows = self.crop_rows(reviews)
        row, found = self.row(self.whole(reviews), **{"sequence length": "whole"} if rows else {})
        words_of = read_words(self)
        write_predictions(self, reviews, words_of, found)
        write_explanations(self, reviews, words_of, found["model"].cpu())
        save_table(self.options.output / "test_table.csv", [*rows, row])
        print(f"wrote {self.options.output / 'test_table.csv'}")

    def logits(self, rows):
        """Logits (reviews,) float32 array of reviews given by their token ids, a list of sequences."""
        lengths = np.array([len(row) for row in rows])
        unknown, films = [float("nan")] * len(rows), [""] * len(rows)
        reviews = build_reviews(np.concatenate(rows, dtype=np.int32), lengths, unknown, films, self.options.device)
        return self.classify(self.whole(reviews))["model"].cpu().numpy()


class BagTest(PartTest):
    """Bags of words: all reviews are tested whole, once."""

    how = "the word's share of the sum that the logit is"

    def whole(self, reviews):
        return BagsOfWords(reviews, self.table) if self.glove is None else MeanVectors(reviews, self.glove, self.table)

    def contributions(self, rows, places):
        return [bag_contributions(self.model, torch.from_numpy(row).long().to(self.options.device), self.glove)
                .cpu().numpy()[some] for row, some in zip(rows, places)]


class SequenceTest(PartTest):
    """LSTMs, by sequence length: the assignment's table."""

    how = "the mean of what the word says alone and of what the review loses without it"

    def crops(self, reviews, length):
        """Crops of Reviews as training took them, of another length in tokens."""
        return Crops(self.in_reading_order(reviews), **self.checkpoint["crops"] | {"sequence_length": length}, cut=True,
                     table=self.table)

    def crop_rows(self, reviews):
        # A longer crop would be more padding to every review, or less than training has shown.
        longest = max(int(reviews.host_lengths.max()), self.padded_to())
        rows = []
        for length in self.options.lengths:
            torch.manual_seed(self.options.seed)        # the same crops whatever other lengths are tested
            row, _ = self.row(self.crops(reviews, min(length, longest)), **{"sequence length": length})
            rows.append(row)
        return rows

    def padded_to(self):
        """Tokens up to which shorter reviews are padded, as they were in training."""
        crops = self.checkpoint["crops"]
        return crops["sequence_length"] if crops.get("padding_counts") else 0

    def whole(self, reviews):
        return WholeReviews(self.in_reading_order(reviews), self.padded_to(), self.table)

    def in_reading_order(self, reviews):
        return reviews.reversed() if self.checkpoint["options"].get("reversed") else reviews

    def contributions(self, rows, places):
        return word_contributions(self.logits, [row.tolist() for row in rows], places, len(self.vocabulary))


def load_test(folder, *argv):
    """The PartTest of the trained model in a folder, whichever part it is of; argv: options of its test script."""
    part = read_run(Path(folder) / "record.json").part
    if not PARTS[part].test:
        raise UserError(f"{folder}: holds a model of part {part}, which classifies nothing; name the folder of "
                        "another part")
    options = parse_options("", __file__, [f"--output={folder}", *map(str, argv)], **LSTM_TEST_DEFAULTS)
    return (BagTest if part[0] == "1" else SequenceTest)(part, options)
