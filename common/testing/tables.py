"""The parts' test scripts: a trained model, the test reviews or one's own, and a table."""

import inspect
import time

import numpy as np
import torch
from torch.nn import functional as F

from common.checkpoints import check_words, load_checkpoint
from common.data.batches import BagsOfWords, Crops, MeanVectors, WholeReviews, by_length, in_order
from common.data.pseudo_labels import write_pseudo_labels
from common.data.reviews import read_glove_embeddings, read_reviews
from common.data.splits import check_count
from common.data.token_files import read_dictionary
from common.devices import autocast, describe_run
from common.errors import UserError
from common.files import check_folder
from common.layers.ensemble import build_trained, member_contributions, member_logits
from common.layers.pooling import padding_counts
from common.layers.word_vectors import WordVectors
from common.parts import PARTS
from common.results.figures import save_lengths_figure
from common.results.records import save_table
from common.testing.explanations import mean_contributions, timestep_contributions
from common.testing.own_reviews import classify_own_reviews
from common.testing.predictions import show_mistakes, write_predictions

TOKENS_OF_A_REVIEW = 500     # in a batch of whole reviews, as many as in the longest crops of the assignment


def build_network(model_class, checkpoint, path):
    """The network whose arguments a checkpoint holds.

    Raises:
        UserError: the arguments are those of another network.
    """
    try:
        inspect.signature(model_class).bind(**checkpoint["arguments"])
    except TypeError as error:
        raise UserError(f"{path}: a model of another network than this script tests; use the test script beside the "
                        "training script that wrote it") from error
    return model_class(**checkpoint["arguments"])


class PartTest:
    """A trained model of one part, ready to be tested.

    Args:
        part: "1a" to "3c".
        model_class: the part's model, or what else makes one from the checkpoint's arguments.
        options: of parse_options.
        words: "imdb" or "glove", the dictionary that the model was trained with.

    Raises:
        UserError: no trained model in options.output, or other data in options.data than it was trained on.
    """

    def __init__(self, part, model_class, options, words="imdb"):
        self.part, self.options, self.words = part, options, words
        self.path = options.output / PARTS[part].model
        self.checkpoint = load_checkpoint(self.path, part, options.device)
        self.vocabulary = self.checkpoint["vocabulary"]
        self.drop_stop_words = self.checkpoint["options"].get("drop_stop_words", False)
        self.network = build_network(model_class, self.checkpoint, self.path)
        self.model, self.predict = build_trained(self.network, self.predict_network, self.checkpoint, options.device)
        vocabulary = read_dictionary(options.data, words)[:len(self.vocabulary)]
        self.glove = None if words == "imdb" else read_glove_embeddings(
            options.data, len(vocabulary), options.device)                      # words + 1, dimensions
        check_words(self.checkpoint, self.path, vocabulary, self.glove)

    def run(self):
        """Test the model, or classify other reviews where the options ask for it."""
        print(f"part {self.part} | {describe_run(self.options)}")
        if self.options.review or self.options.reviews:
            classify_own_reviews(self)
        else:
            check_folder(self.options.output)
            if self.options.unlabelled:
                self.write_pseudo_labels()
            else:
                reviews = self.read_reviews("test").labelled()
                check_count(reviews, "test", self.options.data)
                if self.options.mistakes:
                    found = self.classify_whole(reviews)
                    write_predictions(self.options, reviews, found)
                    show_mistakes(self, reviews, found["model"].cpu())
                else:
                    self.test(reviews)

    def read_reviews(self, split):
        reviews, _ = read_reviews(self.options.data, split, self.words, len(self.vocabulary), self.drop_stop_words,
                                  self.options.device)
        return reviews

    def write_pseudo_labels(self):
        """Write pseudo_labels.npz: the probability that each training review without a label is positive."""
        train = self.read_reviews("train")
        without_label = train.labels.isnan().cpu().numpy()
        reviews = train.select(without_label)
        check_count(reviews, "unlabelled training", self.options.data)
        found = self.classify_whole(reviews)["model"].sigmoid()
        probabilities = np.full(len(train), np.nan, dtype=np.float32)
        probabilities[without_label] = found.cpu().numpy()
        path = self.options.output / "pseudo_labels.npz"
        write_pseudo_labels(path, probabilities, self.options.data, self.part, self.checkpoint["options"])
        print(f"wrote {path}: {(found >= 0.5).sum():,} of {len(found):,} unlabelled reviews positive")

    def classify(self, data, batches):
        """Logits of reviews.

        Args:
            data: what has `reviews`, and `batch(indices)`, which the model takes; batches: of indices.

        Returns:
            dict of (reviews,) float32 tensors: those of the "model", and of an ensemble's members.
        """
        found = {}
        with torch.inference_mode(), autocast(self.options):
            for indices in batches:
                for name, logit in member_logits(self.model, self.predict, data.batch(indices)).items():
                    logits = found.setdefault(name, torch.empty_like(data.reviews.labels))
                    logits[indices.to(logits.device)] = logit
        return found

    def classify_whole(self, reviews):
        """Logits of whole reviews, as from classify()."""
        return self.classify(self.whole(reviews), self.whole_batches(reviews))

    def row(self, data, batches, **first):
        """A row of the table, printed: accuracy in percent of the model and of its members, mean loss in nats.

        Returns:
            (row, found): a dict of text, and the logits as from classify().
        """
        started = time.perf_counter()
        found, labels = self.classify(data, batches), data.reviews.labels
        row = first | {"test accuracy" if name == "model" else f"{name} alone":
                       f"{100 * ((logit >= 0) == (labels > 0.5)).double().mean().item():.2f}"
                       for name, logit in found.items()}
        row["test loss"] = f"{F.binary_cross_entropy_with_logits(found['model'], labels).item():.4f}"
        row["elapsed_s"] = f"{time.perf_counter() - started:.1f}"
        print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
        return row, found

    def whole_row(self, reviews, **first):
        """The row of whole reviews; their logits go to predictions.csv."""
        row, found = self.row(self.whole(reviews), self.whole_batches(reviews), **first)
        write_predictions(self.options, reviews, found)
        return row

    def report(self, rows):
        save_table(self.options.output / "test_table.csv", rows)
        print(f"wrote {self.options.output / 'test_table.csv'}")

    def whole_batches(self, reviews):
        """Indices in batches of reviews of similar length, each at most batch_size * TOKENS_OF_A_REVIEW tokens."""
        return by_length(reviews.host_lengths, self.options.batch_size * TOKENS_OF_A_REVIEW)

    def contributions(self, reviews):
        """What each token adds to the logit: for each review a list of floats."""
        data, found = self.whole(reviews), {}
        with torch.no_grad(), autocast(self.options):
            for indices in self.whole_batches(reviews):
                batch = data.batch(indices)
                added = member_contributions(self.model, self.network_contributions(batch), batch)  # batch, time
                for index, row, length in zip(indices.tolist(), added, reviews.host_lengths[indices].tolist()):
                    found[index] = row[:length].tolist()
        return [found[index] for index in range(len(reviews))]

    def word_vectors(self, token_ids):
        """token_ids (...) -> (..., features) float, the vector of each token alone."""
        return (self.network.embedding.weight if self.glove is None else self.glove)[token_ids]


class BagTest(PartTest):
    """Bags of words: all reviews are tested whole, once."""

    def test(self, reviews):
        self.report([self.whole_row(reviews)])

    def whole(self, reviews):
        return BagsOfWords(reviews) if self.glove is None else MeanVectors(reviews, self.glove)

    def predict_network(self, network, batch):
        return network(batch.bag, batch.labels)

    def network_contributions(self, batch):
        # The mean embedding is of all tokens, the mean GloVe vector of those that have one.
        inside = torch.arange(batch.tokens.shape[1], device=batch.tokens.device) < batch.lengths[:, None]
        counted = inside if self.glove is None else inside & (batch.tokens > 0)
        return mean_contributions(self.network, self.predict_network, batch, self.word_vectors(batch.tokens), counted)


class SequenceTest(PartTest):
    """LSTMs, by sequence length: the assignment's table."""

    def crops(self, reviews, length):
        return Crops(reviews, length, padding_counts=padding_counts(self.checkpoint["arguments"]["pooling"]))

    def test(self, reviews):
        """Test crops of the sequence lengths asked for, none longer than the longest review, then whole reviews."""
        batches = in_order(len(reviews), self.options.batch_size)
        longest = int(reviews.host_lengths.max())       # a longer crop would be padding to every review
        rows = []
        for length in self.options.lengths:
            torch.manual_seed(self.options.seed)        # the same crops whatever other lengths are tested
            crops = self.crops(reviews, min(length, longest))
            row, _ = self.row(crops, batches, **{"sequence length": length})
            rows.append(row)
        rows.append(self.whole_row(reviews, **{"sequence length": "whole"}))
        self.report(rows)
        accuracy = {row["sequence length"]: float(row["test accuracy"]) for row in rows}
        save_lengths_figure(self.options.output / "test_table.png", f"Part {self.part}", {
            "last tokens" if crops.last else "random crops": accuracy})

    def whole(self, reviews):
        return WholeReviews(reviews)

    def predict_network(self, network, batch):
        x = batch.tokens if self.glove is None else WordVectors(self.glove, batch.tokens)
        return network(x, batch.labels, train=False, lengths=batch.lengths)

    def network_contributions(self, batch):
        return timestep_contributions(self.network, self.predict_network, batch)
