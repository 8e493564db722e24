"""Trials: runs that differ by nothing but their seed, what they are called, and what they reached."""

import statistics

from common.parts import PARTS

# Of the test table's sequence lengths, those that the report shows; 128 is SentimentClassifier's.
LENGTHS = ["50", "100", "128", "200", "300", "400", "500", "whole"]
MAIN = ["hidden_units", "lstm_layers", "sequence_length", "learning_rate", "fine_tune"]
# What of describe_data tells two trials of the same settings apart, as the report calls it.
DATA = {"reviews": "reviews", "token_ids": "token ids", "glove": "word vectors", "language_model": "language model",
        "teacher": "teacher"}


def trials_of(runs):
    """Runs grouped by part, then by their settings and data -> {part: [[Run, ...], ...]}.

    The assignment's settings come first, then its recipe with other options.
    """
    parts = {part: {} for part in PARTS}
    for run in runs:
        parts[run.part].setdefault(run.trial(), []).append(run)
    order = ["assignment", "best"]
    return {part: sorted(trials.values(), key=lambda trial: (
                order.index(title(trial)) if title(trial) in order else 2, bool(trial[0].overridden)))
            for part, trials in parts.items() if trials}


def title(trial):
    """The network and the recipe of a trial."""
    settings = trial[0].settings()
    model, recipe = settings.get("model", "RNN_model"), settings.get("recipe", "assignment")
    return recipe if model == "RNN_model" else model if recipe == "assignment" else f"{model}, {recipe}"


def differences(trial, trials):
    """The options in which a part's trials differ, as this one has them; of trials with the same options, the data.

    In a record from before there was an option of numbers, it was off.
    """
    own, data = trial[0].settings(), trial[0].data
    settings = [other[0].settings() for other in trials]
    found = [f"{name.replace('_', ' ')} {value}" for name, value in own.items()
             if name not in ("recipe", "model") and any(
                 other.get(name, value if isinstance(value, str) else 0) != value for other in settings)]
    twins = [other[0].data for other in trials if other[0].settings() == own]
    found += [f"{words} {data[name]:08x}" for name, words in DATA.items()
              if name in data and any(other.get(name) != data[name] for other in twins)]
    return ", ".join(found)


def main_settings(trial):
    """The options that say how large a model is, for a part without another trial to differ from."""
    options = trial[0].options
    return ", ".join(f"{name.replace('_', ' ')} {options[name]}" for name in MAIN if name in options)


def trial_name(trial, trials):
    """A trial's title; where others have the same, with its options."""
    alike = [other for other in trials if title(other) == title(trial)]
    return ", ".join(filter(None, [title(trial), differences(trial, alike)]))


def representative(trials):
    """The trial that stands for a part: the best recipe's, else the first. It is not chosen by its test accuracy."""
    return next((trial for trial in trials if title(trial) == "best"), trials[0])


def corpora(runs):
    """The data sets of runs: {checksum of the reviews, None where a record does not say: what they are called}."""
    found = {run.data.get("reviews"): describe_corpus(run.data) for run in runs}
    names = list(found.values())
    return {reviews: name if names.count(name) == 1 else f"{name} ({reviews:08x})" for reviews, name in found.items()}


def describe_corpus(data):
    names = {"imdb": "the {:,} test reviews of the IMDB dataset", "sample": "the {:,} test reviews of the sample",
             "other": "{:,} test reviews of another dataset"}
    if not data:
        return "test reviews that the records do not name"
    return names.get(data.get("name"), names["other"]).format(data["test_reviews"])


def is_imdb(trial):
    """Whether a trial is on the reviews that the assignment's figures are of."""
    return trial[0].data.get("name") == "imdb"


def mean(values, digits=2):
    """Mean and, of several, standard deviation as text."""
    text = f"{statistics.mean(values):.{digits}f}"
    return text + (f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else "")


def accuracies(trial):
    """Test accuracies in percent of a trial's runs, by those sequence lengths that all have: {length: list}."""
    tables = [run.accuracy() for run in trial if run.table]
    lengths = [length for length in (tables[0] if tables else ()) if all(length in table for table in tables)]
    return {length: [table[length] for table in tables] for length in lengths}


def perplexity(trial):
    """The test perplexity of a language model, the mean of a trial's runs as text; "" of an untested one."""
    found = [float(run.table[0]["perplexity"]) for run in trial if run.table and "perplexity" in run.table[0]]
    return mean(found, 1) if found else ""


def shown_length(part, trials):
    """The sequence length whose accuracy stands for these trials, "whole" for whole reviews.

    On the assignment's reviews it is where the assignment's accuracy is highest, if all were tested there.
    """
    figures, tables = PARTS[part].accuracy, [table for table in map(accuracies, trials) if table]
    best = str(max(figures, key=figures.get)) if isinstance(figures, dict) else "whole"
    return best if all(map(is_imdb, trials)) and tables and all(best in table for table in tables) else "whole"


def result(trial, length):
    """The figure of a trial, as text: test accuracy in percent at a length, or the perplexity of a language model."""
    if trial[0].part == "3a":
        return perplexity(trial)
    found = accuracies(trial).get(length)
    return mean(found) if found else ""


def measure(part, length):
    """What result() gives."""
    if part == "3a":
        return "perplexity"
    return "accuracy (%)" if length == "whole" else f"accuracy at {length} tokens (%)"


def assignment(part, length):
    """What the assignment gives for a part at that length, as text."""
    figures = PARTS[part].accuracy
    if isinstance(figures, str):
        return figures
    return f"{figures[int(length)]:.2f}" if length != "whole" and int(length) in figures else ""


def read_curves(part, curves):
    """One line that says what a run's curves show; held-out loss is the validation's where there is one."""
    held_out = curves["validation_loss"] if any(value == value for value in curves["validation_loss"]) else \
        curves["test_loss"]
    points = [(loss, epoch) for epoch, loss in enumerate(held_out, 1) if loss == loss]
    train = curves["train_loss"]
    if len(points) < 2:
        return "too few epochs to tell"
    best, best_epoch = min(points)
    (before, epoch_before), (last, last_epoch) = points[-2:]
    if last > 1.02 * best and train[last_epoch - 1] < train[best_epoch - 1]:
        return (f"overfits from epoch {best_epoch + 1}: held-out loss {best:.3f} to {last:.3f} while the training loss "
                f"falls from {train[best_epoch - 1]:.3f} to {train[last_epoch - 1]:.3f}")
    still = f"still improving: held-out loss {before:.3f} to {last:.3f} from epoch {epoch_before} to {last_epoch}"
    improving = last == best and last < 0.99 * before
    accuracy = curves["train_accuracy"][-1]
    if part != "3a" and accuracy < 0.8:
        return f"underfits: {100 * accuracy:.0f} % even on the training reviews" + (f"; {still}" if improving else "")
    return still if improving else f"levelled off at epoch {best_epoch}, held-out loss {best:.3f}"
