"""What stands on the report's page below its results: accuracy by length, examples, comparisons, errors, and trials."""

import itertools
import statistics

from common.parts import PARTS
from common.results.comparisons import (accuracy_by_length, accuracy_by_rating, calibration, calibration_error,
                                        confusion, corrected, mcnemar, precision_and_recall, read_predictions)
from common.results.examples import side_by_side, telling_words, worst_mistakes
from common.results.figures import save_calibration_figure, save_curves, save_lengths_figure
from common.results.sheets import escaped, markdown_table, text_table, without_empty_columns
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
        for trial in first_and_best(some):
            if len(found := trial.accuracies()) > 1:
                name = f"{part}, {trial.name(some)}"
                rows.append({"trial": name} | {
                    length: f"{statistics.mean(found[length]):.2f}" if length in found else "" for length in LENGTHS})
                tables[name] = found
        if some[0].is_imdb and isinstance(PARTS[part].accuracy, dict):
            name = f"{part}, reported"
            rows.append({"trial": name} | {length: assignment(part, length) for length in LENGTHS})
            expected[name] = PARTS[part].accuracy
    if tables:
        seeds = any(len(values) > 1 for table in tables.values() for values in table.values())
        page.add("## Accuracy by sequence length", page.figures((
            "accuracy_by_length", save_lengths_figure, "Random crops of the test reviews", tables, expected)),
            text_table(without_empty_columns(rows)),
            "Test accuracy in percent of random crops of so many tokens, and of whole reviews."
            + " Of several seeds the mean, with a band of a standard deviation to either side." * seeds
            + " *reported* is the assignment's." * bool(expected))


def add_examples(page, explanations, noun, names):
    """The same texts explained by all parts, the words that tell, and the worst mistakes; names: of the labels."""
    if not explanations:
        return
    how = {some["how"]: [part for part, other in explanations.items() if other["how"] == some["how"]]
           for some in explanations.values()}
    page.add(f"## The same {noun}, read by each part", "<span class=\"positive2\">Blue</span> words pull towards "
             f"{escaped(names[True])}, <span class=\"negative2\">orange</span> ones towards {escaped(names[False])}, "
             "the darker the more: "
             + "; ".join(f"{escaped(text)} ({', '.join(parts)})" for text, parts in how.items())
             + f". Shown are {noun} about which the parts disagree most.", side_by_side(explanations))
    words, examples = telling_words(explanations)
    page.add("## Telling words", "What pulls most to either side, on average over the test "
             f"{noun} that have the word; small, how many have it.", words)
    page.fold("Where these words stand", examples)
    page.add("## The worst mistakes", MISTAKES, worst_mistakes(explanations))


def comparison(predictions):
    """A matrix of differences in accuracy of each two of several models, with McNemar's tests, as sections.

    Args:
        predictions: dict of Predictions by name; of more than MOST_COMPARED the first are compared.
    """
    names = list(predictions)[:MOST_COMPARED]
    pairs = [(second, first) for first, second in itertools.combinations(names, 2)
             if predictions[first].reviews == predictions[second].reviews]
    if not pairs:
        return []
    tests = {pair: mcnemar(*map(predictions.get, pair)) for pair in pairs}
    cells = {}
    for (pair, (only_row, only_column, _)), p in zip(tests.items(), corrected([p for *_, p in tests.values()])):
        difference = f"{100 * (only_row - only_column) / len(predictions[pair[0]].reviews):+.2f}".replace("-", "−")
        cells[pair] = f"**{difference}**" if p < 0.05 else difference
        cells[pair] += f" ({shown_p(p)})"
    rows = [{"": escaped(row)} | {escaped(column): cells.get((row, column), "") for column in names[:-1]}
            for row in names[1:]]
    return [markdown_table(rows), MCNEMAR]


def shown_p(p):
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def errors(page, predictions):
    """How often models are right and wrong, by label, rating and length, and how sure they are, as sections."""
    if not predictions:
        return []
    rows, points = [], {model: calibration(found) for model, found in predictions.items()}
    names = next(iter(predictions.values())).names
    for model, found in predictions.items():
        counts, row = confusion(found), {"model": model}
        for label, called in (True, True), (True, False), (False, False), (False, True):
            row[f"{names[label]}, called {names[called]}"] = f"{counts[label, called]:,}"
        for kind, value in zip(("precision", "recall", "F1"), precision_and_recall(counts)):
            row[kind] = f"{value:.2f}"
        rows.append(row | {"calibration error": f"{100 * calibration_error(points[model]):.1f}"})
    groups = [[{"model": model} | {group: f"{value:.1f}" for group, value in by(found).items()}
               for model, found in predictions.items()] for by in (accuracy_by_rating, accuracy_by_length)]
    return [text_table(rows),
            f"Whole test texts by label. Precision, recall and F1 are those of the label {escaped(names[True])}, in "
            "percent; the calibration error is how far predicted probabilities are from the truth on average, in "
            "points. `--mistakes 10` of a test script explains the worst mistakes.",
            page.figures(("calibration", save_calibration_figure, points)),
            *(section for heading, some in zip(("rating", "length"), groups) if len(some[0]) > 1
              for section in (f"Accuracy in percent by {heading}:", text_table(some)))]


def part_sections(page, part, trials):
    """A part's trials: their table, curves and comparisons."""
    length = shown_length(part, trials)
    drawn = [(trial.name(trials), trial) for trial in trials[:MOST_DRAWN]]
    found = {name: some for name, trial in drawn if (some := read_predictions(trial.first))}
    return [
        text_table(without_empty_columns([
            {"trial": trial.title, "seeds": str(len(trial.runs)), "epochs": trial.first.told_epochs(),
             "training accuracy (%)": mean([100 * value for value in trial.values("train_accuracy")]),
             f"test {measure(part, length)}": trial.result(length) or "not tested",
             "seconds": mean([run.seconds for run in trial.runs], 0), "what differs": trial.differences(trials)}
            for trial in trials])),
        "\n".join(f"- **{escaped(name)}** {read_curves(trial.first)}" for name, trial in drawn),
        f"The first {len(drawn)} of {len(trials)} trials; results.csv has all." * (len(trials) > len(drawn)),
        page.figures(*((f"curves_{part}_{k}", save_curves, name, trial.first.curves,
                        [other.first.curves for _, other in drawn], trial.first.kept_epoch)
                       for k, (name, trial) in enumerate(drawn, 1))),
        *(["Which trials differ by more than chance:", *matrix] if (matrix := comparison(found)) else [])]


def settings_sections(trials):
    """Where the runs were trained, and with which options."""
    machines = sorted({describe(run) for some in trials.values() for trial in some for run in trial.runs})
    rows = [{"trial": f"{part}, {trial.name(some)}", "all settings": ", ".join(
        f"{name.replace('_', ' ')} {value}" for name, value in trial.settings.items() if name != "recipe")}
        for part, some in trials.items() for trial in some[:MOST_DRAWN]]
    return ["\n".join(f"- {escaped(machine)}" for machine in machines), text_table(rows)]


def describe(run):
    machine = run.machine
    place = machine.get("gpu") or f"{machine.get('cpu')}, threads: {machine.get('threads')}"
    return f"{place}, {run.options.get('precision')}, torch {machine.get('torch')}"
