"""One page about all runs: what the parts reached, which differences are more than chance, and where they are wrong.

    python -m common.results.report 1a 2a results/trials

gathers the runs that lie in these folders, however deep, prints a table of the parts, and writes to --output:
report.html (one file, figures included) and report.md; results.csv, a line a run; hand_in.csv, the course's sheet,
a line a trial. Runs that differ by nothing but their seed are one trial.
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
from common.results.comparisons import (accuracy_by_length, accuracy_by_rating, calibration, calibration_error,
                                        confusion, corrected, mcnemar, read_predictions)
from common.results.figures import (save_bars_figure, save_calibration_figure, save_lengths_figure,
                                    save_perplexity_figure, save_trial_figure)
from common.results.page import Page
from common.results.records import find_files, read_runs, save_table
from common.results.sheets import (aligned, escaped, hand_in_rows, results_rows, settings, text_table,
                                   without_empty_columns)
from common.results.trials import (LENGTHS, accuracies, assignment, corpora, is_imdb, mean, measure, read_curves,
                                   representative, result, shown_length, title, trial_name, trials_of)

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
    "McNemar's test on whole reviews, of the first seed: if two models erred equally often, the reviews that only one "
    "of them classifies correctly would be shared evenly. p is corrected for the number of tests in a table (Holm); "
    "below 0.05 counts as more than chance. It compares these trained models, not what other seeds would give.")


def table_of_parts(trials):
    """Rows of the table of parts: its first trial and the best recipe's, beside the assignment where the data is its.

    A best recipe that is the first trial stands in its own column alone.

    Args:
        trials: of trials_of.
    """
    rows = []
    for part, everything in trials.items():
        for reviews, data in corpora(run for trial in everything for run in trial).items():
            some = [trial for trial in everything if trial[0].data.get("reviews") == reviews]
            first, best = some[0], next((trial for trial in some if title(trial) == "best"), None)
            length = shown_length(part, [first, best or first])
            rows.append({"part": part, "model": PARTS[part].title, "data": data, "test": measure(part, length),
                         "assignment": assignment(part, length) if is_imdb(first) else "",
                         "here": "" if first is best else result(first, length) or "not tested",
                         "recipe best": (result(best, length) or "not tested") if best else ""})
    one_data = len({row["data"] for row in rows}) == 1
    return without_empty_columns([row | {"data": "" if one_data else row["data"]} for row in rows])


def write_report(runs, generated_reviews, output):
    """Write the page, its figures and the CSV files to the folder output.

    Args:
        runs: list of Run; generated_reviews: path of 3b's, or None.
    """
    trials = trials_of(runs)
    page = Page(output, "Sentiment of film reviews")
    page.add(introduction(runs, trials), "## Results", text_table(table_of_parts(trials)), caption(runs))
    add_lengths(page, {part: some for part, some in trials.items() if part in ("2a", "2b", "3c")})
    predictions = {part: read_predictions(representative(some)[0].folder / "predictions.csv")
                   for part, some in trials.items()}
    add_comparisons(page, "## Which parts differ by more than chance", {
        f"{part}, {title(representative(trials[part]))}": some for part, some in predictions.items() if some})
    for part, some in trials.items():
        add_part(page, part, some, predictions[part])
    if generated_reviews:
        text = generated_reviews.read_text(encoding="utf-8", errors="replace")
        page.add(f"## 3b: {PARTS['3b'].title}", textwrap.indent(text, "    "))
    page.add("## Machines", "\n".join(f"- {escaped(machine)}" for machine in sorted({describe(run) for run in runs})))
    page.write()
    save_table(output / "results.csv", results_rows(runs))
    save_table(output / "hand_in.csv", hand_in_rows(trials))


def introduction(runs, trials):
    today = datetime.date.today()
    count = sum(map(len, trials.values()))
    return (f"Tested on **{data_of(runs)}**: {plural(len(runs), 'run')} of "
            f"{plural(count, 'trial')}, reported on {today.day} {today:%B %Y}.")


def data_of(runs):
    return " and ".join(corpora(runs).values())


def plural(count, noun):
    return f"{count:,} {noun}" + "s" * (count != 1)


def caption(runs):
    imdb = ("The assignment's figures are those of its text. " if any(run.data.get("name") == "imdb" for run in runs)
            else "")
    sample = SAMPLE_LESSON if any(run.data.get("name") == "sample" for run in runs) else ""
    return (f"{imdb}*here* is the first trial of a part, the assignment's settings where they were trained; of several "
            f"seeds, mean and standard deviation. {sample}").strip()


def add_lengths(page, trials):
    """A table and a figure of the LSTMs' accuracy by sequence length; trials: of trials_of."""
    rows, tables, expected = [], {}, {}
    for part, some in trials.items():
        best = representative(some)
        for trial in [some[0], best] if best is not some[0] else [best]:
            found = accuracies(trial)
            if found:
                name = f"{part}, {trial_name(trial, some)}"
                rows.append({"trial": name} | {
                    length: f"{statistics.mean(found[length]):.2f}" if length in found else "" for length in LENGTHS})
                tables[name] = {length: statistics.mean(values) for length, values in found.items()}
        if is_imdb(some[0]):
            name = f"{part}, reported"
            rows.append({"trial": name} | {length: assignment(part, length) for length in LENGTHS})
            expected[name] = PARTS[part].accuracy
    if tables:
        page.add("## Accuracy by sequence length", text_table(without_empty_columns(rows)),
                 "Test accuracy in percent of random crops of so many tokens, and of whole reviews; of several seeds, "
                 "the mean." + " *reported* is the assignment's." * bool(expected))
        page.add_figures(("accuracy_by_length", save_lengths_figure, "Random crops of the test reviews", tables,
                          expected))


def add_comparisons(page, heading, predictions):
    """McNemar's tests of each two of several models; of many, of the first with each other.

    Args:
        predictions: dict of Predictions by name.
    """
    names = list(predictions)
    pairs = list(itertools.combinations(names, 2)) if len(names) <= MOST_COMPARED else [
        (names[0], other) for other in names[1:]]
    pairs = [(first, second) for first, second in pairs if predictions[first].reviews == predictions[second].reviews]
    if not pairs:
        return
    tests = [mcnemar(predictions[first], predictions[second]) for first, second in pairs]
    rows = []
    for (first, second), (only_first, only_second, _), p in zip(pairs, tests, corrected([p for *_, p in tests])):
        better = first if only_first > only_second else second
        rows.append({"first": first, "second": second, "only first correct": f"{only_first:,}",
                     "only second correct": f"{only_second:,}", "p": f"{p:.3f}" if p >= 0.001 else "< 0.001",
                     "more than chance": f"{better} is better" if p < 0.05 else "no"})
    page.add(heading, text_table(rows))
    if MCNEMAR not in page.sections:
        page.add(MCNEMAR)


def add_part(page, part, trials, predictions):
    """A part's trials: their table, curves, comparisons, and where the representative one is wrong."""
    length = shown_length(part, trials)
    names = [trial_name(trial, trials) for trial in trials]
    page.add(f"## {part}: {PARTS[part].title}", text_table(without_empty_columns([
        {"trial": title(trial), "seeds": str(len(trial)), "epochs": str(len(trial[0].curves["train_loss"])),
         "training accuracy (%)": mean([100 * run.curves["train_accuracy"][-1] for run in trial]),
         f"test {measure(part, length)}": result(trial, length) or "not tested",
         "seconds": mean([run.seconds for run in trial], 0), "settings": settings(trial, trials)}
        for trial in trials])))
    drawn = list(zip(names, trials))[:MOST_DRAWN]
    page.add("### Learning curves", "\n".join(
        f"- **{escaped(name)}** {read_curves(part, trial[0].curves)}" for name, trial in drawn))
    if len(trials) > len(drawn):
        page.add(f"The first {len(drawn)} of {len(trials)} trials; results.csv has all.")
    page.add_figures(*((f"curves_{part}_{k}", save_trial_figure, name, trial[0].curves,
                        [other[0].curves for _, other in drawn]) for k, (name, trial) in enumerate(drawn, 1)))
    if part == "3a":
        page.add_figures(("perplexity", save_perplexity_figure, {name: trial[0].curves for name, trial in drawn}))
    found = {name: read_predictions(trial[0].folder / "predictions.csv") for name, trial in drawn}
    add_comparisons(page, "### Which trials differ by more than chance", {
        name: some for name, some in found.items() if some})
    if predictions:
        add_errors(page, part, trial_name(representative(trials), trials), predictions)


def add_errors(page, part, name, predictions):
    """Where a model is wrong: confusion matrix, calibration, accuracy by rating and by length."""
    counts, points = confusion(predictions), calibration(predictions)
    page.add(f"### Where {escaped(name)} is wrong", text_table([
        {"label": label, "called positive": f"{counts[label, 'positive']:,}",
         "called negative": f"{counts[label, 'negative']:,}"} for label in ("positive", "negative")]),
        f"{(~predictions.correct).sum():,} mistakes on {len(predictions.reviews):,} whole reviews; `--mistakes 10` of "
        f"the test script explains the worst. Predicted probabilities are {100 * calibration_error(points):.1f} points "
        "off on average.")
    figures = [(f"calibration_{part}", save_calibration_figure, points)]
    by_rating = accuracy_by_rating(predictions)
    if by_rating:
        figures.append((f"by_rating_{part}", save_bars_figure, "Accuracy by rating", "stars", by_rating))
    page.add_figures(*figures, (f"by_length_{part}", save_bars_figure, "Accuracy by length", "tokens",
                                accuracy_by_length(predictions)))


def describe(run):
    machine = run.machine
    place = machine.get("gpu") or f"{machine.get('cpu')}, threads: {machine.get('threads')}"
    return f"{place}, {run.options.get('precision')}, torch {machine.get('torch')}"


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
    check_folder(options.output)
    rows = table_of_parts(trials_of(runs))
    print(f"Tested on {data_of(runs)}:\n")
    print(aligned([row | {"what it shows": LESSONS[row["part"]]} for row in rows]))
    if any(run.data.get("name") == "sample" for run in runs):
        print("\n" + textwrap.fill(SAMPLE_LESSON, 100))
    reviews = [found for folder in folders for found in find_files(folder, "generated_reviews.txt")]
    write_report(runs, reviews[0] if reviews else None, options.output)
    print(f"\nwrote {options.output / 'report.html'}, report.md, results.csv and hand_in.csv")


if __name__ == "__main__":
    run_script(main)
