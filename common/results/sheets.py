"""Tables of runs and trials: on a terminal, in Markdown, and as the CSV files results.csv and hand_in.csv."""

import html
import re

from common.parts import PARTS
from common.results.records import printable
from common.results.trials import differences, main_settings, mean, read_curves, result, shown_length, title

NUMBER = re.compile(r"(< )?[\d.,]+( ± [\d.]+)?|not tested|")
# What the course's sheet wants to know, as far as a trial has it.
HYPERPARAMETERS = ["hidden_units", "hidden_layers", "lstm_layers", "dropout", "pooling", "sequence_length",
                   "batch_size", "optimizer", "learning_rate", "schedule", "vocab_size", "fine_tune"]


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
    """Rows of results.csv, one a run: where, its options, seconds, last figures of its curves, and its test table."""
    rows = []
    for run in runs:
        row = {"part": run.part, "folder": printable(str(run.folder)), "seconds": f"{run.seconds:.1f}",
               "epochs trained": len(run.curves["train_loss"])}
        row |= {f"last {name.replace('_', ' ')}": values[-1] for name, values in run.curves.items()}
        row |= {f"test accuracy at {length}": accuracy for length, accuracy in run.accuracy().items()}
        row |= run.options | run.machine
        rows.append(row | {f"data {name}": value for name, value in run.data.items()})
    names = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name, "") for name in names} for row in rows]


def hand_in_rows(trials):
    """Rows of hand_in.csv, the course's sheet: for each part the given model, and its custom trials.

    Args:
        trials: of trials_of.
    """
    rows = []
    for part, some in trials.items():
        for trial in some:
            options, curves = trial[0].options, trial[0].curves
            length = shown_length(part, [trial])
            kind = f"custom trial: {title(trial)}"
            if title(trial) == "assignment":
                kind = "given model" if trial is some[0] and not trial[0].overridden else "custom trial"
            comments = [read_curves(part, curves)]
            if part == "3a":
                if perplexity := result(trial, length):
                    comments.insert(0, f"test perplexity {perplexity}")
            elif part[0] in "23":
                comments.append("tested on " + ("whole reviews" if length == "whole" else f"crops of {length} tokens"))
            if len(trial) > 1:
                comments.append(f"mean and standard deviation of {len(trial)} seeds")
            others = differences(trial, some)
            rows.append({
                "Description": f"{part} {PARTS[part].title}, {kind}",
                "Hyperparameters": ", ".join(dict.fromkeys([
                    *(f"{name.replace('_', ' ')} {options[name]}" for name in HYPERPARAMETERS if name in options),
                    *(others.split(", ") if others else [])])),
                "Epochs": str(len(curves["train_loss"])),
                "Training loss": mean([run.curves["train_loss"][-1] for run in trial], 4),
                "Training accuracy": mean([100 * run.curves["train_accuracy"][-1] for run in trial]),
                "Test accuracy": test_accuracy(part, trial, length), "Comments": "; ".join(comments)})
    return rows


def test_accuracy(part, trial, length):
    """Test accuracy of a trial in percent; of a language model, how many next words it guesses."""
    if part != "3a":
        return result(trial, length)
    found = [float(run.table[0]["next-word accuracy"]) for run in trial if run.table and
             "next-word accuracy" in run.table[0]]
    return mean(found) if found else ""


def settings(trial, trials):
    """What tells a trial from the part's others, or of a lone one how large it is."""
    return differences(trial, trials) if len(trials) > 1 else main_settings(trial)
