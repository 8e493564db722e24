"""Trials: runs that differ by nothing but their seed, what they are called, and what they reached."""

import dataclasses
import functools
import math
import statistics
from pathlib import PurePosixPath

from common.parts import PARTS

# Of the test table's sequence lengths, those that the report shows; 128 is SentimentClassifier's.
LENGTHS = ["50", "100", "128", "200", "300", "400", "500", "whole"]
# What of describe_data tells two trials of the same settings apart, as the report calls it.
DATA = {"reviews": "reviews", "token_ids": "token ids", "glove": "word vectors", "language_model": "language model",
        "teacher": "teacher"}


@dataclasses.dataclass(frozen=True)
class Trial:
    """Runs of one part that share network, settings and data; runs: list of Run, each of another seed."""

    runs: list

    @property
    def first(self):
        return self.runs[0]

    @property
    def part(self):
        return self.first.part

    @functools.cached_property
    def settings(self):
        return self.first.settings()

    @functools.cached_property
    def title(self):
        """"assignment" where all settings are the assignment's, or another recipe's name; and a network of one's own.

        A record from before records told which options override the recipe counts as all of the recipe's.
        """
        recipe = self.first.options.get("recipe", "assignment")
        if self.first.overridden:
            recipe = "own settings" if recipe == "assignment" else f"{recipe}, changed"
        network = self.first.options.get("model", "RNN_model")
        if network == "RNN_model":
            file, name = (self.first.network.get(key, "") for key in ("file", "class"))
            own = not name or PurePosixPath(file).parent.as_posix() == self.part
            network = "" if own else f"{name} of {file or 'a notebook'}"
        return ", ".join(filter(None, [network, recipe if recipe != "assignment" or not network else ""]))

    @property
    def is_imdb(self):
        """Whether it is on the reviews that the assignment's figures are of."""
        return self.first.data.get("name") == "imdb"

    def values(self, curve):
        """What the runs' curves have in the epoch that was kept."""
        return [run.kept(curve) for run in self.runs]

    def accuracies(self):
        """Test accuracies in percent, by those sequence lengths that all tested runs have: {length: list}."""
        tables = [run.accuracy() for run in self.runs if run.table]
        lengths = [length for length in (tables[0] if tables else ()) if all(length in table for table in tables)]
        return {length: [table[length] for table in tables] for length in lengths}

    def tested(self, column, digits=2):
        """A figure of a language model's test table, as text."""
        found = [float(run.table[0][column]) for run in self.runs if run.table and column in run.table[0]]
        return mean(found, digits) if found else ""

    def result(self, length):
        """Its figure, as text: test accuracy in percent at a length, or the perplexity of a language model."""
        if self.part == "3a":
            return self.tested("perplexity", 1)
        found = self.accuracies().get(length)
        return mean(found) if found else ""

    def spread(self):
        """What ± is of, as text; "" of a lone run."""
        if len(self.runs) == 1:
            return ""
        # The larger part of what would differ from one whole training to the next is left out.
        return f"{len(self.runs)} seeds" + ", one language model" * ("language_model" in self.first.data)

    def differences(self, trials):
        """The options in which a part's trials differ, as this one has them; of those with the same options, the data.

        In a record from before there was an option of numbers, it was off.
        """
        data = self.first.data
        found = [f"{name.replace('_', ' ')} {value}" for name, value in self.settings.items() if name not in (
            "recipe", "model") and any(other.settings.get(name, value if isinstance(value, str) else 0) != value
                                       for other in trials)]
        twins = [other.first for other in trials if other.settings == self.settings]
        found += [f"{words} {checksum(data[name])}" for name, words in DATA.items()
                  if name in data and any(other.data.get(name) != data[name] for other in twins)]
        source = self.first.network.get("source")
        if any(other.network.get("source") != source and other.network.get("file") == self.first.network.get("file")
               for other in twins):
            found.append(f"network {checksum(source)}" if source is not None else "network not recorded")
        return ", ".join(found)

    def name(self, trials):
        """The title; where others of the trials have the same, with what tells them apart."""
        alike = [other for other in trials if other.title == self.title]
        return ", ".join(filter(None, [self.title, self.differences(alike)]))


def checksum(value):
    return f"{value:08x}" if isinstance(value, int) else str(value)


def trials_of(runs):
    """Runs grouped by part, then by network, settings and data -> {part: [Trial, ...], ...}.

    The assignment's settings come first, then its best recipe.
    """
    parts = {part: {} for part in PARTS}
    for run in runs:
        parts[run.part].setdefault(run.trial(), []).append(run)
    order = ["assignment", "best"]
    return {part: sorted(map(Trial, trials.values()),
                         key=lambda trial: order.index(trial.title) if trial.title in order else 2)
            for part, trials in parts.items() if trials}


def representative(trials):
    """The trial that stands for a part: the best recipe's, else the first. It is not chosen by its test accuracy."""
    return next((trial for trial in trials if trial.title == "best"), trials[0])


def first_and_best(trials):
    """The first trial of a part, and the one that stands for it if that is another."""
    return [trials[0], *(trial for trial in [representative(trials)] if trial is not trials[0])]


def corpora(runs):
    """The data sets of runs: {checksum of the reviews, None where a record does not say: what they are called}."""
    found = {run.data.get("reviews"): describe_corpus(run.data) for run in runs}
    names = list(found.values())
    return {reviews: name if names.count(name) == 1 else f"{name} ({checksum(reviews)})"
            for reviews, name in found.items()}


def describe_corpus(data):
    names = {"imdb": "the {:,} test reviews of the IMDB dataset", "sample": "the {:,} test reviews of the sample"}
    if not data:
        return "test reviews that the records do not name"
    return names.get(data.get("name"), "{:,} test texts of another dataset").format(data["test_reviews"])


def are_films(runs):
    """Whether all runs are on reviews of films."""
    return all(run.data.get("name") in ("imdb", "sample") for run in runs)


def mean(values, digits=2):
    """Mean and, of several, standard deviation as text."""
    text = f"{statistics.mean(values):.{digits}f}"
    several = len(values) > 1 and all(map(math.isfinite, values))
    return text + (f" ± {statistics.stdev(values):.{digits}f}" if several else "")


def shown_length(part, trials):
    """The sequence length whose accuracy stands for these trials, "whole" for whole reviews.

    On the assignment's reviews it is where the assignment's accuracy is highest, if all were tested there.
    """
    figures, tables = PARTS[part].accuracy, [table for table in (trial.accuracies() for trial in trials) if table]
    best = str(max(figures, key=figures.get)) if isinstance(figures, dict) else "whole"
    tested_there = tables and all(best in table for table in tables)
    return best if tested_there and all(trial.is_imdb for trial in trials) else "whole"


def measure(part, length):
    """What Trial.result gives."""
    if part == "3a":
        return "perplexity"
    return "accuracy (%)" if length == "whole" else f"accuracy at {length} tokens (%)"


def assignment(part, length):
    """What the assignment gives for a part at that length, as text."""
    figures = PARTS[part].accuracy
    if isinstance(figures, str):
        return figures
    return f"{figures[int(length)]:.2f}" if length != "whole" and int(length) in figures else ""


def read_curves(run):
    """One line that says what a run's curves show, by its validation loss or, where it has none, its test loss."""
    curves = run.curves
    split = "validation" if any(map(math.isfinite, curves["validation_loss"])) else "test"
    points = [(loss, epoch) for epoch, loss in enumerate(curves[f"{split}_loss"], 1) if math.isfinite(loss)]
    train = curves["train_loss"]
    if len(points) < 2:
        return "too few epochs to tell"
    best, best_epoch = min(points)
    (before, epoch_before), (last, last_epoch) = points[-2:]
    if run.kept_epoch:
        kept = curves[f"{split}_loss"][run.kept_epoch - 1]
        return (f"stopped after epoch {run.epochs} and kept epoch {run.kept_epoch}, whose {split} loss of {kept:.3f} "
                f"was {last:.3f} at the end")
    if last > 1.02 * best and train[last_epoch - 1] < train[best_epoch - 1]:
        return (f"overfits from epoch {best_epoch + 1}: {split} loss {best:.3f} to {last:.3f} while the training loss "
                f"falls from {train[best_epoch - 1]:.3f} to {train[last_epoch - 1]:.3f}")
    still = f"still improving: {split} loss {before:.3f} to {last:.3f} from epoch {epoch_before} to {last_epoch}"
    improving = last == best and last < 0.99 * before
    # With dropout and on crops the training accuracy is of a harder task than the test's: both have to be low.
    seen, unseen = (100 * curves[f"{name}_accuracy"][last_epoch - 1] for name in ("train", split))
    if run.part != "3a" and seen < 80 and unseen < 80:
        return (f"underfits: {seen:.0f} % correct in training, {unseen:.0f} % in the {split} after it"
                + (f"; {still}" if improving else ""))
    return still if improving else f"levelled off at epoch {best_epoch}, {split} loss {best:.3f}"
