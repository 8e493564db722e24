"""What stands on the report's page below its results, as Markdown: lengths, examples, errors, comparisons, trials."""

import itertools
import statistics

from common.parts import PARTS
from common.results.comparisons import (accuracy_by_length, accuracy_by_rating, calibration, calibration_error,
                                        confusion, corrected, mcnemar, read_predictions)
from common.results.examples import side_by_side, telling_words, worst_mistakes
from common.results.figures import save_calibration_figure, save_curves, save_lengths_figure
from common.results.sheets import escaped, markdown_table, text_table
from common.results.trials import LENGTHS, assignment, first_and_best, mean, measure, read_curves, shown_length

# Of a sweep, the trials whose curves are drawn and that are compared with each other.
MOST_DRAWN = 12
MOST_COMPARED = 6

MCNEMAR = (
    "Accuracy of the row's model minus the column's, in points, on whole texts. In bold what is more than chance by "
    "McNemar's test: p < 0.05, corrected for the number of tests in the table (Holm). It compares these trained "
    "models, of the first seed, not what other seeds would give.")
MISTAKES = ("What each part is most sure of and wrong about. Such a mistake may be the label's: where the text says "
            "the opposite of its label, the model has read it better than whoever labelled it.")


def add_lengths(page, trials):
    """A table and a figure of the LSTMs' accuracy by sequence length; trials: of trials_of."""
    rows, tables, expected = [], {}, {}
    for part, some in trials.items():
        tables |= {f"{part}, {trial.name(some)}": found for trial in first_and_best(some)
                   if len(found := trial.accuracies()) > 1}
        if some[0].first.data["name"] == "imdb" and isinstance(PARTS[part].accuracy, dict):
            expected[f"{part}, reported"] = PARTS[part].accuracy
            rows.append({"trial": f"{part}, reported"} | {length: assignment(part, length) for length in LENGTHS})
    if tables:
        rows += [{"trial": name} | {
            length: f"{statistics.mean(found[length]):.2f}" if length in found else "" for length in LENGTHS}
            for name, found in tables.items()]
        seeds = any(len(values) > 1 for table in tables.values() for values in table.values())
        page.add("## Accuracy by sequence length", page.figures((
            "accuracy_by_length", save_lengths_figure, "Random crops of the test reviews", tables, expected)),
            text_table(sorted(rows, key=lambda row: row["trial"])),
            "Test accuracy in percent of random crops of so many tokens, and of whole reviews."
            + " Of several seeds the mean, with a band of a standard deviation to either side." * seeds
            + " *reported* is the assignment's." * bool(expected))


def add_examples(page, explanations, noun, names):
    """The same texts explained by all parts, the words that tell, and the worst mistakes; names: of the labels."""
    how = {some["how"]: ", ".join(part for part, other in explanations.items() if other["how"] == some["how"])
           for some in explanations.values()}
    page.add(f"## The same {noun}, read by each part",
             f"<span class=\"positive2\">Blue</span> words pull towards {escaped(names[True])}, "
             f"<span class=\"negative2\">orange</span> ones towards {escaped(names[False])}, the darker the more: "
             + "; ".join(f"{escaped(text)} ({parts})" for text, parts in how.items())
             + f". Shown are {noun} about which the parts disagree most.", side_by_side(explanations))
    words, examples = telling_words(explanations)
    page.add("## Telling words", "What pulls most to either side, on average over the test "
             f"{noun} that have the word; small, how many have it.", words)
    page.fold("Where these words stand", examples)
    page.add("## The worst mistakes", MISTAKES, worst_mistakes(explanations))


def comparison(predictions):
    """A matrix of differences in accuracy of each two of several models, with McNemar's tests.

    Args:
        predictions: dict of Predictions by name; of more than MOST_COMPARED the first are compared.
    """
    names = list(predictions)[:MOST_COMPARED]
    pairs = [(second, first) for first, second in itertools.combinations(names, 2)
             if predictions[first].reviews == predictions[second].reviews]
    if not pairs:
        return []
    tests, cells = [mcnemar(predictions[row], predictions[column]) for row, column in pairs], {}
    for pair, (only_row, only_column, _), p in zip(pairs, tests, corrected([p for *_, p in tests])):
        difference = f"{100 * (only_row - only_column) / len(predictions[pair[0]].reviews):+.2f}".replace("-", "−")
        cells[pair] = (f"**{difference}**" if p < 0.05 else difference) + f" ({shown_p(p)})"
    return [markdown_table([{"": escaped(row)} | {
        escaped(column): cells.get((row, column), "") for column in names[:-1]} for row in names[1:]]), MCNEMAR]


def shown_p(p):
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def errors(page, predictions):
    """How often models are right and wrong, by label, rating and length, and how sure they are."""
    if not predictions:
        return []
    points = {model: calibration(found) for model, found in predictions.items()}
    positive = next(iter(predictions.values())).names[True]
    rows = [{"model": model} | {name: f"{value:,}" if isinstance(value, int) else f"{value:.2f}"
                                for name, value in confusion(found).items()}
            | {"calibration error": f"{100 * calibration_error(points[model]):.1f}"}
            for model, found in predictions.items()]
    groups = [[{"model": model} | {group: f"{value:.1f}" for group, value in by(found).items()}
               for model, found in predictions.items()] for by in (accuracy_by_rating, accuracy_by_length)]
    return [text_table(rows),
            f"Whole test texts by label. Precision, recall and F1 are those of the label {escaped(positive)}, in "
            "percent; the calibration error is how far predicted probabilities are from the truth on average, in "
            "points. `--mistakes 10` of a test script explains the worst mistakes.",
            page.figures(("calibration", save_calibration_figure, points)),
            *("Accuracy in percent:\n\n" + text_table(some) for some in groups if len(some[0]) > 1)]


def part_sections(page, part, trials):
    """A part's trials: their table, curves and comparisons."""
    length = shown_length(trials)
    drawn = {trial.name(trials): trial for trial in trials[:MOST_DRAWN]}
    found = {name: some for name, trial in drawn.items() if (some := read_predictions(trial.first))}
    matrix = comparison(found)
    return [
        text_table([
            {"trial": trial.title, "seeds": str(len(trial.runs)), "epochs": trial.first.epochs(),
             "training accuracy (%)": mean([100 * value for value in trial.values("train_accuracy")]),
             f"test {measure(part, length)}": trial.result(length) or "not tested",
             "seconds": mean([run.seconds for run in trial.runs], 0), "what differs": trial.differences(trials)}
            for trial in trials]),
        "\n".join(f"- **{escaped(name)}** {read_curves(trial.first)}" for name, trial in drawn.items()),
        f"The first {MOST_DRAWN} of {len(trials)} trials; results.csv has all." * (len(trials) > MOST_DRAWN),
        page.figures(*((f"curves_{part}_{k}", save_curves, name, trial.first.curves,
                        [other.first.curves for other in drawn.values()],
                        trial.first.kept_epoch if "of" in trial.first.epochs() else None)
                       for k, (name, trial) in enumerate(drawn.items(), 1))),
        "Which trials differ by more than chance:" * bool(matrix), *matrix]


def machines_and_settings(trials):
    """Where the runs were trained, and with which options."""
    machines = {f"{run.machine['gpu'] or run.machine['cpu']}, threads: {run.machine['threads']}, "
                f"{run.options.get('precision')}, torch {run.machine['torch']}"
                for some in trials.values() for trial in some for run in trial.runs}
    return ["\n".join(f"- {escaped(machine)}" for machine in sorted(machines)), text_table([
        {"trial": f"{part}, {trial.name(some)}", "all settings": ", ".join(
            f"{name.replace('_', ' ')} {value}" for name, value in trial.first.settings().items())}
        for part, some in trials.items() for trial in some[:MOST_DRAWN]])]
