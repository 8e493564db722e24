"""Tables and figures: what a run leaves for its reader.

    python -m common.reports RESULTS

prints one table of all parts whose results lie in the folders RESULTS/1a to RESULTS/3c.
"""

import csv
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from common.arguments import Parser
from common.errors import UserError, run_script
from common.files import replace_file

# Test accuracy in percent as the assignment's text gives it.
ASSIGNMENT = {
    "1a": "86-88", "1b": "81-87",
    "2a": "76.14 at 50, 84.51 at 150, 86.10 at 200, 87.25 at 400",
    "2b": "78.94 at 50, 89.18 at 200, 91.19 at 500",
    "3a": "",
    "3c": "80.98 at 50, 91.15 at 200, 93.01 at 500",
}


def save_figure(path, figure):
    with replace_file(path, "wb") as file:
        figure.savefig(file, format="png", dpi=120)
    plt.close(figure)


def save_curves(path, title, curves):
    """Loss and accuracy by epoch.

    Args:
        curves: dict of lists, a value an epoch: train_loss, train_accuracy, and the same for
            validation and test; NaN where an epoch has no value.
    """
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    metrics = ("loss", "cross entropy (nats)", 1), ("accuracy", "accuracy (%)", 100)
    for axis, (metric, label, scale) in zip(axes, metrics):
        for split, style in ("train", "k-"), ("validation", "k:"), ("test", "ks--"):
            points = [(epoch, scale * value) for epoch, value in enumerate(curves[f"{split}_{metric}"], 1)
                      if value == value]
            if points:
                axis.plot(*zip(*points), style, markersize=3, label=split)
        axis.set_xlabel("epoch")
        axis.set_ylabel(label)
        axis.legend()
    figure.suptitle(title)
    save_figure(path, figure)


def save_table(path, rows):
    """Write rows, a list of dicts with the same keys, as a CSV file."""
    with replace_file(path) as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def save_length_figure(path, title, rows):
    """Test accuracy against sequence length; the whole reviews as a horizontal line."""
    figure, axis = plt.subplots(figsize=(5, 3.5), layout="constrained")
    crops = [(int(row["sequence length"]), float(row["test accuracy"])) for row in rows
             if row["sequence length"] != "whole"]
    axis.plot(*zip(*crops), "ko-", label="random crops")
    for row in rows:
        if row["sequence length"] == "whole":
            axis.axhline(float(row["test accuracy"]), color="k", linestyle=":", label="whole reviews")
    axis.set_xlabel("sequence length (tokens)")
    axis.set_ylabel("test accuracy (%)")
    axis.set_title(title)
    axis.legend()
    save_figure(path, figure)


def read_table(path):
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise UserError(f"{path}: an empty table; run the part's test script again")
    return rows


def summarise(results):
    """One line a part: test accuracy (%), or perplexity in 3a, beside the assignment's test accuracy."""
    lines = [f"{'part':4}  {'test accuracy (%)':52}  assignment", "-" * 116]
    for part, expected in ASSIGNMENT.items():
        path = results / part / "test_table.csv"
        if not path.exists():
            continue
        rows = read_table(path)
        if "perplexity" in rows[0]:
            result = f"perplexity {float(rows[0]['perplexity']):.1f}"
        elif "sequence length" in rows[0]:
            accuracy = {row["sequence length"]: row["test accuracy"] for row in rows}
            result = ", ".join(f"{accuracy[length]} at {length}" for length in ("50", "200", "400")
                               if length in accuracy)
            result += f", {accuracy['whole']} whole" if "whole" in accuracy else ""
        else:
            result = rows[0]["test accuracy"]
        lines.append(f"{part:4}  {result:52}  {expected}")
    if len(lines) == 2:
        raise UserError(f"{results}: no test tables of any part in it; run the parts' test scripts first")
    return "\n".join(lines)


def main():
    parser = Parser(__doc__)
    parser.add_argument("results", type=Path, help="folder with a folder of results for each part")
    print(summarise(parser.parse_args().results))


if __name__ == "__main__":
    run_script(main)
