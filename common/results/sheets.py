"""Tables of runs and trials: on a terminal, in Markdown, and as the CSV files results.csv and hand_in.csv."""

import html
import re

from common.parts import PARTS
from common.results.records import printable
from common.results.trials import are_films, mean, read_curves, shown_length

NUMBER = re.compile(r"(< |[+−])?[\d.,]+( ± [\d.]+)?|inf|not tested|")
# What the course's sheet wants to know, as far as a trial has it.
HYPERPARAMETERS = ["hidden_units", "hidden_layers", "lstm_layers", "dropout", "pooling", "sequence_length",
                   "batch_size", "optimizer", "learning_rate", "schedule", "vocab_size", "fine_tune"]
# Named where they are not 0.
STOPPING = ["validation", "patience"]


def aligned(rows):
    """Rows, a list of dicts of text, as a table for a terminal."""
    widths = [max(len(name), *(len(row[name]) for row in rows)) for name in rows[0]]
    lines = [list(rows[0]), ["-" * width for width in widths], *(row.values() for row in rows)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def markdown_table(rows):
    """Rows, a list of dicts of Markdown, as a table."""
    lines = [rows[0], ["---"] * len(rows[0]), *(row.values() for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def text_table(rows):
    """Rows, a list of dicts of text, as a Markdown table that shows them as they are, with numbers on the right."""
    if not rows:
        return ""
    head, _, *lines = markdown_table([{escaped(name): escaped(cell) for name, cell in row.items()} for row in rows]
                                     ).split("\n")
    sides = ["---:" if all(NUMBER.fullmatch(row[name]) for row in rows) else "---" for name in rows[0]]
    return "\n".join([head, "| " + " | ".join(sides) + " |", *lines])


def escaped(text):
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]#])", r"\\\1", html.escape(text, quote=False))


def without_empty_columns(rows):
    return [{name: row[name] for name in row if any(other[name] for other in rows)} for row in rows]


def results_rows(runs):
    """Rows of results.csv, one a run: its folder, options and data, its figures in the kept epoch, its test table."""
    rows = []
    for run in runs:
        row = {"part": run.part, "folder": printable(str(run.folder)), "seconds": f"{run.seconds:.1f}",
               "epochs trained": run.epochs, "kept epoch": run.kept_epoch or run.epochs}
        row |= {f"last {name.replace('_', ' ')}": run.kept(name) for name in run.curves}
        row |= {f"test accuracy at {length}": accuracy for length, accuracy in run.accuracy().items()}
        row |= run.options | run.machine
        rows.append(row | {f"data {name}": value for name, value in run.data.items()}
                    | {f"network {name}": value for name, value in run.network.items()})
    names = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name, "") for name in names} for row in rows]


def hand_in_rows(trials):
    """Rows of hand_in.csv, the course's sheet: for each part the given model, and its custom trials.

    Args:
        trials: of trials_of.
    """
    rows = []
    for part, some in trials.items():
        given = next((trial for trial in some if trial.title == "assignment"), None)
        for trial in some:
            options, length = trial.first.options, shown_length(part, [trial])
            kind = "trial" if not are_films(trial.runs) else "given model" if trial is given else "custom trial"
            named = f": {trial.title}" * (kind == "trial" or trial.title != "assignment")
            comments = [read_curves(trial.first)]
            if part == "3a":
                if perplexity := trial.result(length):
                    comments.insert(0, f"test perplexity {perplexity}")
            elif part[0] in "23":
                comments.append("tested on " + ("whole reviews" if length == "whole" else f"crops of {length} tokens"))
            if trial.spread():
                comments.append(f"mean and standard deviation of {trial.spread()}")
            names = [name for name in HYPERPARAMETERS + [name for name in STOPPING if options.get(name)]
                     if name in options]
            others = [text for text in trial.differences(some).split(", ") if text and not text.startswith("epochs ")]
            rows.append({
                "Description": f"{part} {PARTS[part].title}, {kind}{named}",
                "Hyperparameters": ", ".join(dict.fromkeys([
                    *(f"{name.replace('_', ' ')} {options[name]}" for name in names), *others])),
                "Epochs": ", ".join(dict.fromkeys(run.told_epochs() for run in trial.runs)),
                "Training loss": mean(trial.values("train_loss"), 4),
                "Training accuracy": mean([100 * value for value in trial.values("train_accuracy")]),
                # Of a language model, how many next words it predicts.
                "Test accuracy": trial.tested("next-word accuracy") if part == "3a" else trial.result(length),
                "Comments": "; ".join(comments)})
    return rows
