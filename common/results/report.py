"""One page about all runs: tables, curves, and the assignment's figures beside ours.

    python -m common.results.report 1a 2a results/trials

gathers the runs that lie in these folders, however deep, prints a table of the parts, and writes report.md,
report.html (one file, figures included), results.csv (a line a run) and the figures to --output. Runs that differ
by nothing but their seed are one trial.
"""

import base64
import re
import statistics
import textwrap
from pathlib import Path

import markdown

from common.arguments import Parser, path
from common.errors import UserError, run_script
from common.files import check_folder, replace_file
from common.parts import PARTS, ROOT
from common.results.figures import save_lengths_figure, save_perplexity_figure, save_trials_figure
from common.results.records import read_runs, save_table

# Figures of the table of parts, 128 for SentimentClassifier; the page's figure shows all lengths.
LENGTHS = ["50", "128", "200", "400", "500", "whole"]
MAIN = ["hidden_units", "lstm_layers", "sequence_length", "learning_rate", "fine_tune"]


def trials_of(runs):
    """Runs grouped by part, then by their options but the seed, the assignment's first -> {part: [[Run, ...], ...]}."""
    parts = {part: {} for part in PARTS}
    for run in runs:
        parts[run.part].setdefault(str(sorted(run.settings().items())), []).append(run)
    return {part: sorted(trials.values(), key=lambda trial: title(trial) != "assignment")
            for part, trials in parts.items() if trials}


def title(trial):
    """The network and the recipe of a trial."""
    settings = trial[0].settings()
    model, recipe = settings.get("model", "RNN_model"), settings.get("recipe", "assignment")
    return recipe if model == "RNN_model" else model if recipe == "assignment" else f"{model}, {recipe}"


def differences(trial, trials):
    """The options in which a part's trials differ, as this one has them.

    In a record from before there was an option of numbers, it was off.
    """
    settings = [other[0].settings() for other in trials]
    own = trial[0].settings()
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in own.items()
                     if name not in ("recipe", "model") and any(
                         other.get(name, value if isinstance(value, str) else 0) != value for other in settings))


def main_settings(trial):
    """The options that say how large a model is, for a part without another trial to differ from."""
    options = trial[0].options
    return ", ".join(f"{name.replace('_', ' ')} {options[name]}" for name in MAIN if name in options)


def trial_name(trial, trials):
    """A trial's title; where others have the same, with its options."""
    alike = [other for other in trials if title(other) == title(trial)]
    return title(trial) if len(alike) == 1 else f"{title(trial)}, {differences(trial, alike)}"


def mean(values, digits=2):
    """Mean and, of several, standard deviation as text."""
    text = f"{statistics.mean(values):.{digits}f}"
    return text + (f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else "")


def result(trial):
    """A trial's test accuracy in percent at each of LENGTHS, or the perplexity of a language model."""
    tested = [run for run in trial if run.table]
    if not tested:
        return "not tested"
    if "perplexity" in tested[0].table[0]:
        return "perplexity " + mean([float(run.table[0]["perplexity"]) for run in tested], 1)
    tables = [run.accuracy() for run in tested]
    if list(tables[0]) == ["whole"]:
        return mean([table["whole"] for table in tables])
    return ", ".join(mean([table[length] for table in tables]) + (" whole" if length == "whole" else f" at {length}")
                     for length in LENGTHS if all(length in table for table in tables))


def assignment(part):
    """What the assignment's text gives for a part, as text."""
    figures = PARTS[part].accuracy
    return figures if isinstance(figures, str) else ", ".join(
        f"{accuracy:.2f} at {length}" for length, accuracy in figures.items() if str(length) in LENGTHS)


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


def table_of_parts(trials):
    """Rows of the table of parts: its first trial and the best recipe's beside the assignment's figures."""
    return [{"part": part, "model": PARTS[part].title, "assignment": assignment(part), "here": result(some[0]),
             "recipe best": next((result(trial) for trial in some if title(trial) == "best"), "")}
            for part, some in trials.items()]


def aligned(rows):
    """Rows, a list of dicts of text, as a table for a terminal."""
    widths = [max(len(name), *(len(row[name]) for row in rows)) for name in rows[0]]
    lines = [list(rows[0]), ["-" * width for width in widths], *(row.values() for row in rows)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def markdown_table(rows):
    lines = [rows[0], ["---"] * len(rows[0]), *(row.values() for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def trial_row(trial, trials):
    run = trial[0]
    return {"trial": title(trial), "settings": differences(trial, trials) if len(trials) > 1 else main_settings(trial),
            "seeds": str(len(trial)), "epochs": str(len(run.curves["train_loss"])),
            "training accuracy (%)": mean([100 * some.curves["train_accuracy"][-1] for some in trial]),
            "test": result(trial), "seconds": mean([some.seconds for some in trial], 0),
            "reading": read_curves(run.part, run.curves)}


def write_report(runs, generated_reviews, output):
    """Write report.md, report.html, results.csv and the figures to the folder output."""
    trials = trials_of(runs)
    sections = ["# Sentiment of film reviews: all runs", markdown_table(table_of_parts(trials)),
                "Test accuracy in percent; of several seeds, mean and standard deviation."]

    def figure(name, draw, *arguments):
        draw(output / f"{name}.png", *arguments)
        sections.append(f"![{name.replace('_', ' ')}]({name}.png)")

    recurrent = {part: some for part, some in trials.items() if part in ("2a", "2b", "3c")}
    tables = {f"{part}, {trial_name(trial, some)}": trial[0].accuracy() for part, some in recurrent.items()
              for trial in some if trial[0].table and (trial is some[0] or title(trial) == "best")}
    if tables:
        sections.append("## Accuracy by sequence length")
        figure("accuracy_by_length", save_lengths_figure, "Random crops of the test reviews", tables,
               {f"{part}, the assignment's table": PARTS[part].accuracy for part in recurrent})
    for part, some in trials.items():
        sections += [f"## {part}: {PARTS[part].title}", markdown_table([trial_row(trial, some) for trial in some])]
        names = [trial_name(trial, some) for trial in some]
        figure(f"curves_{part}", save_trials_figure, f"Part {part}",
               {name: trial[0].curves for name, trial in zip(names, some)})
        if part == "3a":
            figure("perplexity", save_perplexity_figure, {name: trial[0].curves for name, trial in zip(names, some)})
    if generated_reviews:
        text = generated_reviews.read_text(encoding="utf-8")
        sections += ["## 3b: generated reviews", textwrap.indent(text, "    ")]
    sections += ["## Machines", "\n".join(f"- {machine}" for machine in sorted({describe(run) for run in runs}))]

    text = "\n\n".join(sections) + "\n"
    with replace_file(output / "report.md") as file:
        file.write(text)
    with replace_file(output / "report.html") as file:
        file.write(page(text, output))
    save_table(output / "results.csv", csv_rows(runs))


def describe(run):
    machine = run.machine
    place = machine["gpu"] or f"{machine['cpu']}, {machine['threads']} threads"
    return f"{place}, {run.options['precision']}, torch {machine['torch']}"


def page(text, folder):
    """Markdown as one HTML file, with the figures of the folder inside it."""
    body = markdown.markdown(text, extensions=["tables"])
    body = re.sub(r'src="([^"]+\.png)"', lambda found: 'src="data:image/png;base64,{}"'.format(
        base64.b64encode((folder / found[1]).read_bytes()).decode()), body)
    return f"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Sentiment of film reviews</title>
<style>
body {{ font-family: sans-serif; max-width: 72em; margin: 2em auto; padding: 0 1em; line-height: 1.4 }}
table {{ border-collapse: collapse }}
th, td {{ border-bottom: 1px solid #ccc; padding: .3em .7em; text-align: left; vertical-align: top }}
img {{ max-width: 100% }}
pre {{ white-space: pre-wrap; background: #f4f4f4; padding: 1em }}
</style>
{body}
</html>
"""


def csv_rows(runs):
    """A row a run: where, its options, seconds, last figures of its curves, and its test table."""
    rows = []
    for run in runs:
        row = {"part": run.part, "folder": str(run.folder), "seconds": f"{run.seconds:.1f}",
               "epochs": len(run.curves["train_loss"])}
        row |= {f"last {name.replace('_', ' ')}": values[-1] for name, values in run.curves.items()}
        row |= {f"test accuracy at {length}": accuracy for length, accuracy in run.accuracy().items()}
        rows.append(row | run.options | run.machine)
    names = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name, "") for name in names} for row in rows]


def main():
    parser = Parser(__doc__)
    parser.add_argument("results", nargs="+", type=path, help="folders with runs in them")
    parser.add_argument("--output", type=path, default=ROOT / "results", help="folder that the page is written to")
    options = parser.parse_args()
    runs = read_runs(options.results)
    if not runs:
        raise UserError(f"{options.results[0]}: no record.json of any run in it; train a part first")
    print(aligned(table_of_parts(trials_of(runs))))
    check_folder(options.output)
    reviews = [path for folder in options.results for path in sorted(folder.rglob("generated_reviews.txt"))]
    write_report(runs, reviews[0] if reviews else None, options.output)
    print(f"\nwrote {options.output / 'report.html'}, report.md and results.csv")


if __name__ == "__main__":
    run_script(main)
