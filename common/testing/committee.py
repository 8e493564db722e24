"""A committee: several trained models as one, whose logit is the mean of theirs.

    python -m common.testing.committee --members results/forwards/3c results/backwards/3c --output results/committee

Reads the trained models in the folders, of any parts but of the same preprocessed reviews, which it reads from --data.
Writes test_table.csv, of crops of the --lengths and of whole reviews (of those alone where a bag of words is among the
members), and predictions.csv to --output, both with what the networks say without their n-grams too, and prints
McNemar's test of the committee against each member. With --unlabelled it writes pseudo_labels.npz instead, labels of
the unlabelled reviews.
"""

import time
import zlib

from common.data.pseudo_labels import write_pseudo_labels
from common.data.token_files import read_label_names
from common.devices import fixed_seed, set_up
from common.errors import UserError, run_script
from common.files import check_folder
from common.options import HOLDOUT, LSTM_TEST_DEFAULTS, Option, parse_options
from common.parts import ROOT
from common.results.comparisons import Predictions, mcnemar
from common.results.records import save_table
from common.testing.part_test import SequenceTest, load_test
from common.testing.predictions import accuracy_row, read_words, write_predictions

MEMBERS = Option("evaluation", [], nargs="+", metavar="FOLDER", help="of two trained models or more")


class Committee:
    """Trained models that are asked together.

    Args:
        options: of parse_options; members, the folders of the models.

    Raises:
        UserError: fewer than two members, or members that were trained on reviews that are held out of others.
    """

    def __init__(self, options):
        set_up(options)
        self.options = options
        if len(set(options.members)) < 2:
            raise UserError("--members: a committee has two or more; name their folders")
        if taken := {"model", "networks"} & set(options.members):       # names of what the committee says
            raise UserError(f"--members: write ./{taken.pop()}")
        self.members = {folder: load_test(folder, "--data", options.data, "--device", options.device.type,
                                          "--precision", options.precision, "--batch-size", options.batch_size)
                        for folder in options.members}
        checkpoints = [member.checkpoint for member in self.members.values()]
        for name in HOLDOUT if any(checkpoint["options"]["validation"] for checkpoint in checkpoints) else []:
            if len({checkpoint["options"][name] for checkpoint in checkpoints}) > 1:
                raise UserError(f"--members: trained with different --{name.replace('_', '-')}, so that one has "
                                "learned reviews that are held out of another; train them with the same")
        # What read_words and write_predictions ask for.
        self.labels = read_label_names(options.data)
        weights = " ".join(checkpoint["weights"] for checkpoint in checkpoints)
        self.checkpoint = {"weights": f"crc-{zlib.crc32(weights.encode()):08x}", "options": checkpoints[0]["options"]}

    def run(self):
        check_folder(self.options.output)
        self.write_pseudo_labels() if self.options.unlabelled else self.test()

    def classify(self, split, length=None):
        """Logits of the labelled test reviews or the unlabelled training reviews, read whole or in crops of a length.

        Returns:
            (found, reviews): dict of (reviews,) logits: the mean as "model"; where members have n-grams, the mean of
            their networks without them as "networks"; and those of each member by its folder. The Reviews.
        """
        logits = {}
        for folder, member in self.members.items():
            reviews = member.read_reviews(split)
            with fixed_seed(self.options):              # the crops that the member's own test takes
                data = member.whole(reviews) if length is None else member.crops(
                    reviews, min(length, int(reviews.host_lengths.max())))
                logits[folder] = member.classify(data)

        def mean(name):
            return sum(found.get(name, found["model"]) for found in logits.values()) / len(logits)

        means = {"model": mean("model")}
        if any("network" in found for found in logits.values()):
            means["networks"] = mean("network")
        return means | {folder: found["model"] for folder, found in logits.items()}, reviews

    def test(self):
        """Write test_table.csv and predictions.csv, and compare with each member."""
        crops = all(isinstance(member, SequenceTest) for member in self.members.values())
        rows = []
        for length in [*(self.options.lengths if crops else []), None]:
            started = time.perf_counter()
            found, reviews = self.classify("test", length)
            rows.append(accuracy_row(found, reviews.labels, self.checkpoint["weights"], started,
                                     **{"sequence length": length or "whole"}))
        save_table(self.options.output / "test_table.csv", rows)
        print(f"wrote {self.options.output / 'test_table.csv'}")
        write_predictions(self, reviews, read_words(self), found)
        positive = (reviews.labels > 0.5).cpu().numpy()
        together, *alone = (Predictions(positive, found[name].cpu().numpy()) for name in ["model", *self.members])
        for folder, member in zip(self.members, alone):
            better, worse, p = mcnemar(together, member)
            print(f"{better} reviews that {folder} has wrong are right, {worse} the other way round, p = {p:.2g}")

    def write_pseudo_labels(self):
        """Write pseudo_labels.npz: the probability that each training review without a label is positive."""
        found, _ = self.classify("train")
        path = self.options.output / "pseudo_labels.npz"
        write_pseudo_labels(path, found["model"].sigmoid(), self.options.data, self.checkpoint["weights"],
                            self.checkpoint["options"])
        print(f"wrote {path}")


def main():
    Committee(parse_options(__doc__, ROOT / "results" / "committee" / "test.py", members=MEMBERS, **{
        name: LSTM_TEST_DEFAULTS[name] for name in ("batch_size", "lengths", "unlabelled")})).run()


if __name__ == "__main__":
    run_script(main)
