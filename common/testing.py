"""The parts' test scripts: a trained model, the test reviews, and a table."""

from common.checkpoints import build_model, check_words, load_checkpoint
from common.data import check_count, read_glove_embeddings, read_reviews
from common.evaluation import by_length, evaluate, in_order
from common.files import check_folder
from common.options import describe_run
from common.reports import save_length_figure, save_table

SEQUENCE_LENGTHS = range(50, 501, 50)


class TestRun:
    """A trained model of one part, ready to be tested.

    Args:
        part: "1a" to "3c".
        file_name: the checkpoint's name in options.output.
        model_class: the part's model.
        options: of parse_options.
    """

    def __init__(self, part, file_name, model_class, options):
        self.part, self.options = part, options
        self.path = options.output / file_name
        self.checkpoint = load_checkpoint(self.path, part, options.device)
        self.vocabulary = self.checkpoint["vocabulary"]
        self.model = build_model(model_class, self.checkpoint, options.device)
        check_folder(options.output)
        print(f"part {part} | {describe_run(options)}")

    def read_test_reviews(self, words):
        """The labelled test reviews, with ids in the "imdb" or "glove" dictionary that the model was trained with.

        Returns:
            (reviews, glove): Reviews, and the GloVe vectors (words + 1, dimensions) or None.
        """
        drop_stop_words = self.checkpoint["options"].get("drop_stop_words", False)
        reviews, vocabulary = read_reviews(self.options.data, "test", words, len(self.vocabulary), drop_stop_words,
                                           self.options.device)
        glove = None
        if words == "glove":
            glove = read_glove_embeddings(self.options.data, len(vocabulary), self.options.device)
        check_words(self.checkpoint, self.path, vocabulary, glove)
        self.reviews = reviews.labelled()
        check_count(self.reviews, "test", self.options.data)
        return self.reviews, glove

    def test_once(self, score):
        """Test all reviews with score(indices), print and save the result."""
        batches = in_order(len(self.reviews), self.options.batch_size, self.options.device)
        self.report([self.row(score, batches)])

    def test_by_length(self, score):
        """The assignment's table: crops of each sequence length, then whole reviews.

        Args:
            score: (x (batch, time), t (batch,), lengths) -> (summed loss, right answers, reviews).
        """
        reviews = self.reviews
        batches = in_order(len(reviews), self.options.batch_size, self.options.device)
        rows = []
        for length in SEQUENCE_LENGTHS:
            rows.append(self.row(lambda indices: score(reviews.crops(indices, length), reviews.labels[indices]),
                                 batches, **{"sequence length": length}))

        def score_whole(indices):
            x, lengths = reviews.whole(indices)
            return score(x, reviews.labels[indices], lengths)

        batches = by_length(reviews.lengths, self.options.batch_size * SEQUENCE_LENGTHS[-1])
        rows.append(self.row(score_whole, batches, **{"sequence length": "whole"}))
        self.report(rows)
        save_length_figure(self.options.output / "test_table.png", f"Part {self.part}", rows)

    def row(self, score, batches, **first):
        found = evaluate(self.model, score, batches, self.options)
        row = first | {"test accuracy": f"{100 * found.accuracy:.2f}", "test loss": f"{found.loss:.4f}",
                       "elapsed_s": f"{found.elapsed_s:.1f}"}
        print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
        return row

    def report(self, rows):
        save_table(self.options.output / "test_table.csv", rows)
        print(f"wrote {self.options.output / 'test_table.csv'}")
