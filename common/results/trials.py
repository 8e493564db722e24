"""Trials: runs that differ by nothing but their seed, what they are called, and what they reached."""

import dataclasses
import functools
import math
import statistics

from common.parts import PARTS

# Of films; any other data set has a name of its own.
CORPORA = {"imdb": "the {:,} test reviews of the IMDB dataset", "sample": "the {:,} test reviews of the sample"}


@dataclasses.dataclass(frozen=True)
class Trial:
    """Runs of one part that share network, settings and data; runs: list of Run, each of another seed."""

    runs: list

    @property
    def first(self):
        return self.runs[0]

    @functools.cached_property
    def title(self):
        """"assignment" with all of the assignment's settings, or another recipe's name; and a network of one's own."""
        recipe = self.first.options.get("recipe", "assignment")
        if self.first.overridden:
            recipe = "own settings" if recipe == "assignment" else f"{recipe}, changed"
        if not self.own_network:
            return recipe
        return "{class} of {file}".format(**self.first.network) + f", {recipe}" * (recipe != "assignment")

    @property
    def own_network(self):
        """Whether the network is another than the part's own."""
        return self.first.network["file"].rpartition("/")[0] != self.first.part

    @functools.cached_property          # each trial is compared with all others
    def differing(self):
        """All in which trials of a part may differ but their title, as text."""
        settings = {name: str(value) for name, value in self.first.settings().items() if name != "recipe"}
        checksums = {name: f"{value:08x}" for name, value in self.first.data.items() if isinstance(value, int)}
        found = settings | checksums | {"network": f"{self.first.network['source']:08x}"}
        return {name.replace("_", " "): value for name, value in found.items()}

    def differences(self, trials):
        """In what trials of a part differ, as this one has it."""
        return ", ".join(f"{name} {value}" for name, value in self.differing.items()
                         if any(other.differing.get(name, value) != value for other in trials))

    def name(self, trials):
        """The title; where others of the trials have the same, with what tells them apart."""
        alike = [other for other in trials if other.title == self.title]
        return ", ".join(filter(None, [self.title, self.differences(alike)]))

    def spread(self):
        """What ± is of, as text; "" of a lone run."""
        if len(self.runs) == 1:
            return ""
        # The larger part of what would differ from one whole training to the next is left out.
        return f"{len(self.runs)} seeds" + ", one language model" * ("language_model" in self.first.data)

    def values(self, curve):
        """What the runs' curves have in the epoch that was kept."""
        return [run.kept(curve) for run in self.runs]

    def accuracies(self):
        """Test accuracies in percent, by those sequence lengths that all tested runs have: {length: list}."""
        tables = [run.accuracy() for run in self.runs if run.table]
        return {length: [table[length] for table in tables] for length in (tables[0] if tables else ())
                if all(length in table for table in tables)}

    def tested(self, column, digits=2):
        """A figure of a language model's test table, as text; "" of an untested one."""
        return mean([float(run.table[0][column]) for run in self.runs if run.table], digits)

    def result(self, length):
        """Its figure, as text: test accuracy in percent at a length, or the perplexity of a language model."""
        if self.first.part == "3a":
            return self.tested("perplexity", 1)
        return mean(self.accuracies().get(length, []))


def trials_of(runs):
    """Runs grouped by part, then by network, settings and data -> {part: [Trial, ...], ...}.

    The assignment's settings come first, then its best recipe.
    """
    parts = {part: {} for part in PARTS}
    for run in runs:
        parts[run.part].setdefault(run.trial(), []).append(run)
    order = {"assignment": 0, "best": 1}
    return {part: sorted(map(Trial, trials.values()), key=lambda trial: order.get(trial.title, 2))
            for part, trials in parts.items() if trials}


def first_and_best(trials):
    """The first trial of a part, and its best recipe if that is another; the last of these stands for the part.

    It is not chosen by its test accuracy.
    """
    return [trials[0], *(trial for trial in trials[1:] if trial.title == "best")]


def data_of(run):
    """What a run was tested on, in words."""
    return CORPORA.get(run.data["name"], "{:,} test texts of another dataset").format(run.data["test_reviews"])


def mean(values, digits=2):
    """Mean and, of several, standard deviation as text; "" of none."""
    if not values:
        return ""
    several = len(values) > 1 and all(map(math.isfinite, values))
    return f"{statistics.mean(values):.{digits}f}" + (f" ± {statistics.stdev(values):.{digits}f}" if several else "")


def shown_length(trials):
    """The sequence length whose accuracy stands for a part's trials, "whole" for whole reviews.

    On the assignment's reviews it is where the assignment's accuracy is highest, if all were tested there.
    """
    run, tables = trials[0].first, [table for trial in trials if (table := trial.accuracies())]
    figures = PARTS[run.part].accuracy
    if run.data["name"] == "imdb" and isinstance(figures, dict) and tables:
        best = str(max(figures, key=figures.get))
        if all(best in table for table in tables):
            return best
    return "whole"


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
    if run.kept_epoch < len(train):
        return (f"stopped after epoch {len(train)} and kept epoch {run.kept_epoch}, whose {split} loss of {best:.3f} "
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
