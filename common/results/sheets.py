"""Tables of runs and trials: on a terminal, in Markdown, and as the CSV files results.csv and hand_in.csv."""

import html
import re

from common.parts import PARTS
from common.results.trials import CORPORA, mean, read_curves, shown_length

NUMBER = re.compile(r"(< |[+−])?[\d.,]+( ± [\d.]+)?|inf|not tested|")
# What the course's sheet wants to know beside what is not as the recipe has it.
HYPERPARAMETERS = ["hidden_units", "hidden_layers", "lstm_layers", "dropout", "pooling", "sequence_length",
                   "batch_size", "optimizer", "learning_rate", "schedule", "vocab_size", "fine_tune"]


def aligned(rows):
    """Rows, a list of dicts of text, as a table for a terminal."""
    widths = [max(len(name), *(len(row[name]) for row in rows)) for name in rows[0]]
    lines = [list(rows[0]), ["-" * width for width in widths], *(row.values() for row in rows)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def markdown_table(rows, sides=None):
    """Rows, a list of dicts of Markdown, as a table; sides: what stands below each heading."""
    lines = [rows[0], sides or ["---"] * len(rows[0]), *(row.values() for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def text_table(rows):
    """Rows, a list of dicts of text, as a Markdown table that shows them as they are, with numbers on the right.

    Columns without text are left out.
    """
    names = [name for name in rows[0] if any(row[name] for row in rows)]
    sides = ["---:" if all(NUMBER.fullmatch(row[name]) for row in rows) else "---" for name in names]
    return markdown_table([{escaped(name): escaped(row[name]) for name in names} for row in rows], sides)


def escaped(text):
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]#])", r"\\\1", html.escape(text, quote=False))


def results_rows(runs):
    """Rows of results.csv, one a run: its folder, options and data, its figures in the kept epoch, its test table."""
    # A ? for each byte of a folder's name that is not UTF-8.
    return [{"part": run.part, "folder": str(run.folder).encode("utf-8", "replace").decode(),
             "seconds": f"{run.seconds:.1f}", "epochs trained": len(run.curves["train_loss"]),
             "kept epoch": run.kept_epoch}
            | {f"last {name.replace('_', ' ')}": run.kept(name) for name in run.curves}
            | {f"test accuracy at {length}": accuracy for length, accuracy in run.accuracy().items()}
            | run.options | run.machine | {f"data {name}": value for name, value in run.data.items()}
            | {f"network {name}": value for name, value in run.network.items()} for run in runs]


def hand_in_rows(trials):
    """Rows of hand_in.csv, the course's sheet: given models and custom trials by part; trials: of trials_of."""
    return [hand_in_row(part, trial, is_given=trial is some[0] and trial.title == "assignment")
            for part, some in trials.items() for trial in some]


def hand_in_row(part, trial, is_given):
    run, length = trial.first, shown_length([trial])
    kind = "trial" if run.data["name"] not in CORPORA else "given model" if is_given else "custom trial"
    comments = [read_curves(run)]
    if part == "3a" and trial.result(length):
        comments.insert(0, f"test perplexity {trial.result(length)}")
    elif part[0] in "23":
        comments.append("tested on " + ("whole reviews" if length == "whole" else f"crops of {length} tokens"))
    if trial.spread():
        comments.append(f"mean and standard deviation of {trial.spread()}")
    names = dict.fromkeys([*HYPERPARAMETERS, *(name for name in run.overridden if name != "epochs")])
    return {
        "Description": f"{part} {PARTS[part].title}, {kind}" + f": {trial.title}" * (kind != "given model"),
        "Hyperparameters": ", ".join(
            f"{name.replace('_', ' ')} {run.options[name]}" for name in names if name in run.options),
        "Epochs": ", ".join(dict.fromkeys(run.epochs() for run in trial.runs)),
        "Training loss": mean(trial.values("train_loss"), 4),
        "Training accuracy": mean([100 * value for value in trial.values("train_accuracy")]),
        # Of a language model, how many next words it predicts.
        "Test accuracy": trial.tested("next-word accuracy") if part == "3a" else trial.result(length),
        "Comments": "; ".join(comments)}
