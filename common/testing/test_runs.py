"""The parts' test scripts: a trained model, the test reviews or one's own, and a table."""

import numpy as np
import torch

from common.checkpoints import build_model, check_words, load_checkpoint
from common.data.reviews import bag_means, check_count, read_glove_embeddings, read_reviews
from common.training.evaluation import autocast, by_length, evaluate, in_order, sentiment_score
from common.testing.explanations import bag_contributions
from common.results.figures import save_lengths_figure
from common.files import check_folder
from common.layers.ensemble import SHARE
from common.options import describe_run
from common.testing.own_reviews import classify_own_reviews
from common.results.records import save_table
from common.data.token_files import read_dictionary, write_array

TOKENS_OF_A_REVIEW = 500     # in a batch of whole reviews, as many as in the longest crops of the assignment


class TestRun:
    """A trained model of one part, ready to be tested.

    Args:
        part: "1a" to "3c".
        file_name: the checkpoint's name in options.output.
        model_class: the part's model, or what else makes one from the checkpoint's arguments.
        options: of parse_options.
        words: "imdb" or "glove", the dictionary that the model was trained with.
    """

    def __init__(self, part, file_name, model_class, options, words="imdb"):
        self.part, self.options, self.words = part, options, words
        self.path = options.output / file_name
        self.checkpoint = load_checkpoint(self.path, part, options.device)
        self.vocabulary = self.checkpoint["vocabulary"]
        self.drop_stop_words = self.checkpoint["options"].get("drop_stop_words", False)
        self.model = build_model(model_class, self.checkpoint, options.device)
        self.glove = None                                                       # words + 1, dimensions
        if words == "glove":
            vocabulary = read_dictionary(options.data, words)[:len(self.vocabulary)]
            self.glove = read_glove_embeddings(options.data, len(vocabulary), options.device)
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
                self.reviews = self.read_reviews("test").labelled()
                check_count(self.reviews, "test", self.options.data)
                self.test()

    def read_reviews(self, split):
        reviews, vocabulary = read_reviews(self.options.data, split, self.words, len(self.vocabulary),
                                           self.drop_stop_words, self.options.device)
        check_words(self.checkpoint, self.path, vocabulary, self.glove)
        return reviews

    def write_pseudo_labels(self):
        """Write pseudo_labels.npy: the probability that each training review without a label is positive, else NaN."""
        train = self.read_reviews("train")
        without_label = train.labels.isnan().cpu().numpy()
        reviews = train.select(without_label)
        check_count(reviews, "unlabelled training", self.options.data)
        found = torch.empty_like(reviews.labels)
        with torch.inference_mode(), autocast(self.options):
            for indices in self.whole_batches(reviews):
                found[indices] = self.classify_whole(reviews, indices)[1].sigmoid()
        probabilities = np.full(len(train), np.nan, dtype=np.float32)
        probabilities[without_label] = found.cpu().numpy()
        path = self.options.output / "pseudo_labels.npy"
        write_array(path, probabilities)
        print(f"wrote {path}: {(found >= 0.5).sum():,} of {len(found):,} unlabelled reviews positive")

    def whole_batches(self, reviews):
        """Indices of reviews of similar length, a batch as many tokens as batch_size long crops."""
        return by_length(reviews.lengths, self.options.batch_size * TOKENS_OF_A_REVIEW)

    def score_whole(self, indices):
        return sentiment_score(self.classify_whole(self.reviews, indices), self.reviews.labels[indices])

    def word_vectors(self, token_ids):
        """token_ids (...) -> (..., features) float, what the model makes of each token alone."""
        return (self.model.embedding.weight if self.glove is None else self.glove)[token_ids]

    def contributions(self, reviews, indices):
        """What each token adds to the logit: for each of the reviews at indices (length,) float.

        An n-gram's share stands at its last word.
        """
        found = self.network_contributions(reviews, indices)
        if not getattr(self.model, "ngrams", None):
            return found
        added = self.model.ngrams.contributions(reviews.whole(indices)[0])      # batch, time
        return [(1 - SHARE) * own + SHARE * row[:len(own)] for own, row in zip(found, added)]

    def row(self, score, batches, **first):
        found = evaluate(self.model, score, batches, self.options)
        row = first | {"test accuracy": f"{100 * found.accuracy:.2f}", "test loss": f"{found.loss:.4f}",
                       "elapsed_s": f"{found.elapsed_s:.1f}"}
        print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
        return row

    def report(self, rows):
        save_table(self.options.output / "test_table.csv", rows)
        print(f"wrote {self.options.output / 'test_table.csv'}")


class BagTest(TestRun):
    """Bags of words: all reviews are tested whole, once."""

    def test(self):
        self.report([self.row(self.score_whole, self.whole_batches(self.reviews))])

    def classify_whole(self, reviews, indices):
        """(loss, logit) of the whole reviews at indices (batch,)."""
        bags = reviews.bags(indices)
        x = bags if self.glove is None else bag_means(*bags[:2], self.glove)
        token_ids = reviews.whole(indices)[0] if self.model.ngrams else None    # batch, time
        return self.model(x, reviews.labels[indices], token_ids)

    def network_contributions(self, reviews, indices):
        found = []
        for index in indices.split(1):
            token_ids, _, _ = reviews.bags(index)
            # The mean embedding is of all tokens, the mean GloVe vector of those that have one.
            counted = torch.ones_like(token_ids) if self.glove is None else token_ids > 0
            found.append(bag_contributions(self.model.logit, self.word_vectors(token_ids), counted))
        return found


class SequenceTest(TestRun):
    """LSTMs, by sequence length: the assignment's table."""

    def test(self):
        """Crops of the sequence lengths asked for, random or the last tokens as in training, then whole reviews."""
        reviews = self.reviews
        last = self.checkpoint["options"].get("crop") == "last"
        batches = in_order(len(reviews), self.options.batch_size, self.options.device)
        rows = []
        for length in self.options.lengths:
            def score(indices):
                t = reviews.labels[indices]                                     # batch
                lengths = None if self.model.counts_padding else reviews.lengths[indices]
                return sentiment_score(self.classify(reviews.crops(indices, length, last), t, lengths), t)

            torch.manual_seed(self.options.seed)        # the same crops whatever other lengths are tested
            rows.append(self.row(score, batches, **{"sequence length": length}))
        rows.append(self.row(self.score_whole, self.whole_batches(reviews), **{"sequence length": "whole"}))
        self.report(rows)
        save_lengths_figure(self.options.output / "test_table.png", f"Part {self.part}",
                            {"last tokens" if last else "random crops": {
                                row["sequence length"]: float(row["test accuracy"]) for row in rows}})

    def classify(self, x, t, lengths=None):
        """(loss, logit) of x (batch, time) token ids, whose GloVe vectors the model takes if it has some."""
        if self.glove is None:
            return self.model(x, t, train=False, lengths=lengths)
        return self.model(self.glove[x], t, train=False, lengths=lengths, token_ids=x)

    def classify_whole(self, reviews, indices):
        """(loss, logit) of the whole reviews at indices (batch,)."""
        x, lengths = reviews.whole(indices)
        return self.classify(x, reviews.labels[indices], lengths)

    def network_contributions(self, reviews, indices):
        x, lengths = reviews.whole(indices)
        rows = self.model.contributions(self.word_vectors(x), lengths)
        return [row[:length] for row, length in zip(rows, lengths.tolist())]
