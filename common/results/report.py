"""One page about all runs: what the parts reached, how they read the same reviews, and where they are wrong.

    python -m common.results.report 1a 2a results/trials

gathers the runs that lie in these folders, however deep, prints a table of the parts, and writes to --output:
report.html (one file, figures included) and report.md; results.csv, a line a run; hand_in.csv, the course's sheet,
a line a trial. Beside each part's model it writes model_card.md. Runs that differ by nothing but their seed are one
trial.
"""

import datetime
import itertools
import statistics
import sys
import textwrap

from common.arguments import Parser, path
from common.errors import UserError, run_script
from common.files import check_folder
from common.parts import PARTS, ROOT
from common.results.comparisons import (accuracy_by_length, accuracy_by_rating, calibration_error, confusion, corrected,
                                        mcnemar, read_predictions)
from common.results.examples import explanations_of, side_by_side, telling_words, worst_mistakes
from common.results.figures import save_curves, save_lengths_figure
from common.results.model_card import write_model_card
from common.results.page import Page
from common.results.records import BYTE_ORDER_MARK, find_files, read_runs, save_table
from common.results.sheets import aligned, escaped, hand_in_rows, markdown_table, results_rows, text_table
from common.results.trials import (CORPORA, assignment, data_of, first_and_best, mean, measure, read_curves,
                                   shown_length, trials_of)

# Of the test table's sequence lengths, those that are shown; 128 is SentimentClassifier's.
LENGTHS = ["50", "100", "128", "200", "300", "400", "500", "whole"]
# Of a sweep, the trials whose curves are drawn and that are compared with each other.
MOST_DRAWN = 12
MOST_COMPARED = 6

LESSONS = {
    "1a": "counts the words and cannot see their order",
    "1b": "counts too, with word vectors that it does not change",
    "2a": "reads the words in order, so that it can tell what a 'not' is about",
    "2b": "reads in order, with word vectors that it does not change",
    "3a": "is as unsure of the next word as if it chose among so many",
    "3c": "reads in order, and starts from what the language model has learned"}
SAMPLE_LESSON = ("Half of the sample's reviews are pairs of the same words in another order, one positive and one "
                 "negative: whatever a bag of words learns, without n-grams it gets one of the two wrong.")
MCNEMAR = (
    "Accuracy of the row's model minus the column's, in points, on whole texts. In bold what is more than chance by "
    "McNemar's test: p < 0.05, corrected for the number of tests in the table (Holm). It compares these trained "
    "models, of the first seed, not what other seeds would give.")
MISTAKES = ("What each part is most sure of and wrong about. Such a mistake may be the label's: where the text says "
            "the opposite of its label, the model has read it better than whoever labelled it.")


def of_most(runs):
    """The runs that were tested on the reviews that most were; the others are named on standard error."""
    reviews = statistics.mode(run.data["reviews"] for run in runs)
    for run in runs:
        if run.data["reviews"] != reviews:
            print(f"{run.folder}: tested on other reviews than most runs; left out, report it by itself",
                  file=sys.stderr)
    return [run for run in runs if run.data["reviews"] == reviews]


def table_of_parts(trials):
    """A row for each part's network: its first trial and best recipe, beside the assignment where the data is its."""
    rows = []
    for part, some in trials.items():
        length, is_imdb = shown_length(first_and_best(some)), some[0].first.data["name"] == "imdb"
        given = [trial for trial in some if not trial.own_network]
        for network in [given] * bool(given) + [[trial] for trial in some if trial.own_network]:
            own = network != given
            row = {"part": part, "model": network[0].title if own else PARTS[part].title,
                   "measured": measure(part, length), "assignment": assignment(part, length) * (is_imdb and not own),
                   "same settings": "", "other settings": "", "best recipe": "",
                   "what it shows": "" if own else LESSONS[part]}
            for trial in first_and_best(network):
                column = {"assignment": "same settings", "best": "best recipe"}.get(trial.title, "other settings")
                row[column] = trial.result(length) or "not tested"
            rows.append(row)
    return [{name: row[name] for name in row if any(other[name] for other in rows)} for row in rows]


def write_report(runs, generated_reviews, output):
    """Write the page, its figures and the CSV files to the folder output, and model cards beside the models.

    Args:
        runs: list of Run, all tested on the same reviews; generated_reviews: path of 3b's, or None.
    """
    trials, films = trials_of(runs), runs[0].data["name"] in CORPORA
    shown = {part: first_and_best(some)[-1] for part, some in trials.items()}
    predictions = {part: found for part, trial in shown.items() if (found := read_predictions(trial.first))}
    today = datetime.date.today()
    page = Page(output, "Sentiment of film reviews" if films else "Classification of texts")
    page.add(lead(shown, predictions),
             f"Tested on **{data_of(runs[0])}**: runs {len(runs):,}, trials {sum(map(len, trials.values())):,}, "
             f"reported on {today.day} {today:%B %Y}.",
             "## Results", text_table(table_of_parts(trials)), caption(runs[0].data["name"], trials))
    add_lengths(page, trials)
    if explanations := explanations_of([trial.first for trial in shown.values()]):
        add_examples(page, explanations, "reviews" if films else "texts", runs[0].labels)
    if generated_reviews:
        text = generated_reviews.read_text(encoding="utf-8", errors="replace").strip()
        first, _, others = text.partition("\n\n")
        page.add("## What the language model writes", textwrap.indent(first, "    "))
        page.fold("More that it writes", textwrap.indent(others, "    "))
    sheet = hand_in_rows(trials)
    page.fold("The sheet to hand in", text_table(sheet))
    models = {f"{part}, {shown[part].title}": found for part, found in predictions.items()}
    page.fold("How often each part is right and wrong, and how sure", *errors(models, runs[0].labels))
    page.fold("Which parts differ by more than chance", *comparison(models))
    for part, some in trials.items():
        page.fold(f"{part}: {PARTS[part].title}, trials and learning curves", *part_sections(page, part, some))
    page.fold("Machines and settings", *machines_and_settings(runs, trials))
    page.write()
    save_table(output / "results.csv", results_rows(runs), mark=BYTE_ORDER_MARK)
    save_table(output / "hand_in.csv", sheet, mark=BYTE_ORDER_MARK)
    for part, trial in shown.items():
        write_model_card(trial, predictions.get(part))


def lead(shown, predictions):
    """What was found, in one or two sentences.

    Args:
        shown: dict of the Trial that stands for each part; predictions: of the first run of each, as far as there are.
    """
    tested = {part: statistics.mean(found["whole"]) for part, trial in shown.items()
              if "whole" in (found := trial.accuracies())}
    if not tested:
        return "No classifier is tested yet."
    best, *others = sorted(tested, key=tested.get, reverse=True)
    found = (f"The most accurate of {len(tested)} classifiers" if others else "The classifier") + (
        f" is {best} ({PARTS[best].title}), which classifies **{shown[best].result('whole')} % of "
        f"{data_of(shown[best].first)} correctly**, read whole.")
    other = next((part for part in others if (part[0] == "1") != (best[0] == "1")), None)
    if not other:
        return found
    found += (f" The best {'LSTM' if best[0] == '1' else 'bag of words'}, {other}, reaches "
              f"{shown[other].result('whole')} %: {tested[best] - tested[other]:.2f} points less")
    if best in predictions and other in predictions and predictions[best].same_reviews(predictions[other]):
        *_, p = mcnemar(predictions[best], predictions[other])
        found += f", {'more' if p < 0.05 else 'no more'} than chance ({shown_p(p)})"
    return found + "."


def caption(corpus, trials):
    """What the columns of the table of parts are, and of what its ±; corpus: the name of the data."""
    spread = [f"{part} {trial.title}: {trial.spread()}" for part, some in trials.items()
              for trial in first_and_best(some) if trial.spread()]
    return " ".join(filter(None, [
        "*assignment* are the figures of its text." * (corpus == "imdb"),
        "*same settings* are the assignment's." * any(some[0].title == "assignment" for some in trials.values()),
        "*best recipe* has others, and a second classifier that counts runs of up to three words." * any(
            trial.title == "best" and trial.first.options.get("ngrams") for some in trials.values() for trial in some),
        f"± is the standard deviation over seeds ({escaped('; '.join(spread))})." * bool(spread),
        SAMPLE_LESSON * (corpus == "sample")]))


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
        seeds = any(len(values) > 1 for found in tables.values() for values in found.values())
        page.add("## Accuracy by sequence length", page.figure(
            "accuracy_by_length", save_lengths_figure, "Random crops of the test reviews", tables, expected),
            text_table(sorted(rows, key=lambda row: row["trial"])),
            "Test accuracy in percent of random crops of so many tokens, and of whole reviews."
            + " Of several seeds the mean, with a band of a standard deviation to either side." * seeds
            + " *reported* is the assignment's." * bool(expected))


def add_examples(page, explanations, noun, labels):
    """The same texts explained by all parts, the words that tell, and the worst mistakes."""
    how = {some["how"]: ", ".join(part for part, other in explanations.items() if other["how"] == some["how"])
           for some in explanations.values()}
    page.add(f"## The same {noun}, read by each part",
             f"<span class=\"positive2\">Blue</span> words pull towards {escaped(labels[True])}, "
             f"<span class=\"negative2\">orange</span> ones towards {escaped(labels[False])}, the darker the more: "
             + "; ".join(f"{escaped(text)} ({parts})" for text, parts in how.items())
             + f". Shown are {noun} of both labels about which the parts disagree most.", side_by_side(explanations))
    words, examples = telling_words(explanations)
    page.add("## Telling words", "What pulls most to either side, on average over the test "
             f"{noun} that have the word; small, how many have it.", words)
    page.fold("Where these words stand", examples)
    page.add("## The worst mistakes", MISTAKES, worst_mistakes(explanations))


def comparison(predictions):
    """A matrix of differences in accuracy of the first MOST_COMPARED of Predictions by name, with McNemar's tests."""
    names = list(predictions)[:MOST_COMPARED]
    pairs = [(second, first) for first, second in itertools.combinations(names, 2)
             if predictions[first].same_reviews(predictions[second])]
    if not pairs:
        return []
    tests, cells = [mcnemar(predictions[row], predictions[column]) for row, column in pairs], {}
    for pair, (only_row, only_column, _), p in zip(pairs, tests, corrected([p for *_, p in tests])):
        difference = f"{100 * (only_row - only_column) / len(predictions[pair[0]].logits):+.2f}".replace("-", "−")
        cells[pair] = (f"**{difference}**" if p < 0.05 else difference) + f" ({shown_p(p)})"
    return [markdown_table([{"": escaped(row)} | {
        escaped(column): cells.get((row, column), "") for column in names[:-1]} for row in names[1:]]), MCNEMAR]


def shown_p(p):
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def errors(predictions, labels):
    """How often models are right and wrong, and how sure they are; predictions: dict of Predictions by name."""
    if not predictions:
        return []
    groups = [[{"model": model} | {group: f"{value:.1f}" for group, value in by(found).items()}
               for model, found in predictions.items()] for by in (accuracy_by_rating, accuracy_by_length)]
    return [text_table([{"model": model} | {name: f"{value:,}" if isinstance(value, int) else f"{value:.2f}"
                                            for name, value in confusion(found, labels).items()}
                        | {"calibration error": f"{calibration_error(found):.1f}"}
                        for model, found in predictions.items()]),
            f"Whole test texts by label. Precision, recall and F1 are those of the label {escaped(labels[True])}, in "
            "percent; the calibration error is how far predicted probabilities are from the truth on average, in "
            "points. `--mistakes 10` of a test script explains the worst mistakes.",
            *("Accuracy in percent:\n\n" + text_table(rows) for rows in groups if len(rows[0]) > 1)]


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
        "\n".join(page.figure(f"curves_{part}_{k}", save_curves, name, trial.first.curves,
                              [other.first.curves for other in drawn.values()],
                              trial.first.kept_epoch if "of" in trial.first.epochs() else None)
                  for k, (name, trial) in enumerate(drawn.items(), 1)),
        "Which trials differ by more than chance:" * bool(matrix), *matrix]


def machines_and_settings(runs, trials):
    """Where the runs were trained, and with which options."""
    machines = {f"{run.machine['gpu'] or run.machine['cpu']}, threads: {run.machine['threads']}, "
                f"{run.options.get('precision')}, torch {run.machine['torch']}" for run in runs}
    return ["\n".join(f"- {escaped(machine)}" for machine in sorted(machines)), text_table([
        {"trial": f"{part}, {trial.name(some)}", "all settings": ", ".join(
            f"{name.replace('_', ' ')} {value}" for name, value in trial.first.settings().items())}
        for part, some in trials.items() for trial in some[:MOST_DRAWN]])]


def main():
    parser = Parser(__doc__)
    parser.add_argument("results", nargs="+", type=path, help="folders with runs in them")
    parser.add_argument("--output", type=path, default=ROOT / "results", help="folder that the page is written to")
    options = parser.parse_args()
    folders = [folder for folder in options.results if folder.is_dir()]
    runs = read_runs(folders)
    if not runs:
        raise UserError(f"{options.results[0]}: no record.json of any run in it; train a part first")
    for folder in options.results:
        if folder not in folders:       # a part's job may have failed
            print(f"{folder}: no such folder; left out", file=sys.stderr)
    runs = of_most(runs)
    check_folder(options.output)
    print(f"Tested on {data_of(runs[0])}:\n")
    print(aligned(table_of_parts(trials_of(runs))))
    if runs[0].data["name"] == "sample":
        print("\n" + textwrap.fill(SAMPLE_LESSON, 100))
    write_report(runs, next(iter(find_files(folders, "generated_reviews.txt")), None), options.output)
    print(f"\nwrote {options.output / 'report.html'}, report.md, results.csv and hand_in.csv")


if __name__ == "__main__":
    run_script(main)
