"""Write the results tables of the README and docs/, and the README's figure, from the results in benchmarks/results.

    python benchmarks/tables.py

A table stands in a page between the lines <!-- table: NAME --> and <!-- end of table -->; the functions of TABLES
make them. What is shown of each part is named in SHOWN.
"""

import csv
import json
import math
import re
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.arguments import Parser
from common.errors import UserError, run_script
from common.files import replace_file
from common.parts import PARTS, ROOT
from common.plots import plain_style, subplots
from common.results.sheets import markdown_table
from common.results.trials import mean

RESULTS = ROOT / "benchmarks" / "results"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "2a" / "other_networks" / "README.md"]
FIGURE = ROOT / "docs" / "accuracy_by_length.png"
TABLE = re.compile(r"(?<=<!-- table: )([a-z ]+)( -->\n).*?(?=<!-- end of table -->)", re.DOTALL)

# Of each part the runs at the assignment's settings and those of its best recipe: folder of a results.csv, and how
# the names of their own folders begin.
LOGS, BEST, TRIALS = "from_logs_202611", "best_cpu_202611", "trials_cpu_202611"
BAGS, BEST_2B = "best_bags_cpu_202611", "best_2b_cpu_202611"
SELF_TRAINING = "self_training_cpu_202611"
AN_HOUR, THREE_HOURS = "pretraining_cpu_202611", "pretraining_long_cpu_202611"       # of the language model
GPU = "gpu_202611"
SHOWN = {
    "1a": ((TRIALS, "results/trials/1a/assignment-"), (BAGS, "1a/best-")),
    "1b": ((TRIALS, "results/trials/1b/assignment-"), (BAGS, "1b/best-")),
    "2a": ((LOGS, "2a/assignment-"), (BEST, "2a/best-")),
    "2b": ((LOGS, "2b/assignment-"), (BEST_2B, "2b/best-")),
    "3a": ((GPU, "3a"), (THREE_HOURS, "3a")),
    "3c": ((GPU, "3c/assignment-"), (THREE_HOURS, "3c/best-")),
}
# What docs/better.md shows between the two.
BETWEEN = {"2a": [("300 units, 12 epochs", (LOGS, "2a/300-units-"))],
           "2b": [("best recipe, `--ngram-weight 0.3`, labels of 3c's ensemble", (SELF_TRAINING, "2b/best-"))],
           "3c": [("same settings, after `3a --recipe short`", (AN_HOUR, "3c/assignment-")),
                  ("best recipe, after `3a --recipe short`", (AN_HOUR, "3c/best-"))]}
# The sequence length in tokens that the README shows.
HEADLINE = {"2a": 400, "2b": 500, "3c": 500}
LENGTHS = ["50", "100", "150", "200", "400", "500", "whole"]
# Marks of the README's footnotes.
NOTES = {("1b", "same settings"): "¹", ("2b", "same settings"): "¹", ("1b", "best recipe"): "¹",
         ("2b", "best recipe"): "¹", ("3a", "same settings"): "²", ("3a", "best recipe"): "²",
         ("3c", "same settings"): "³", ("3c", "best recipe"): "³"}
MACHINES = {"Intel(R) Xeon(R) Processor @ 2.50GHz": "Xeon", "Intel(R) Xeon(R) Processor": "Xeon", "AMD EPYC": "EPYC",
            "NVIDIA H200": "H200"}


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def runs(folder, name):
    """The rows of a results.csv whose folders' names begin with `name`: one a seed."""
    found = [row for row in read(RESULTS / folder / "results.csv") if row["folder"].startswith(name)]
    if not found:
        raise UserError(f"{RESULTS / folder / 'results.csv'}: has no run {name}")
    return found


def accuracies(some, length):
    """Test accuracies in percent at a length; none unless every run has one."""
    values = [row.get(f"test accuracy at {length}") for row in some]
    return [float(value) for value in values] if all(values) else []


def cell(some, length):
    values = accuracies(some, length)
    return mean(values) if values else ""


def perplexity(some):
    return f"{statistics.mean(math.exp(float(row['last test loss'])) for row in some):.1f}"


def minutes(some):
    """Of one training: the median, since some were halted by other jobs; results.csv leaves out what times nothing."""
    return f"{statistics.median(float(row['seconds']) for row in some if row['seconds']) / 60:.1f}"


def parts_table():
    """The README's: a part a row, a number a cell."""
    rows = []
    for part, info in PARTS.items():
        length = HEADLINE.get(part, "whole")
        row = {"part": f"[{part}]({info.train})", "model": info.title}
        if info.accuracy:
            row["tokens"] = str(length).replace("whole", "all")
            row["assignment"] = f"{info.accuracy[length]:.2f}" if length in HEADLINE.values() else \
                info.accuracy.replace("-", " to ")
        for title, shown in zip(("same settings", "best recipe"), SHOWN.get(part, ())):
            some = runs(*shown)
            figure = f"perplexity {perplexity(some)}" if part == "3a" else \
                f"{statistics.mean(accuracies(some, length)):.2f}"
            row[title] = figure + NOTES.get((part, title), "")
            row[f"minutes ({title.split()[0]})"] = f"{minutes(some)} {MACHINES[some[0].get('gpu') or some[0]['cpu']]}"
        if part == "3b":
            row["best recipe"] = "[a review](#every-part-on-the-real-reviews)"
        rows.append(row)
    names = ["part", "model", "tokens", "assignment", "same settings", "minutes (same)", "best recipe",
             "minutes (best)"]
    return markdown_table([{name: row.get(name, "") for name in names} for row in rows])


def lengths_table():
    """Test accuracy by sequence length, beside the assignment's."""
    rows = []
    for part, shown in SHOWN.items():
        if part == "3a":
            continue
        expected = PARTS[part].accuracy
        if isinstance(expected, dict):
            rows.append({"part": part, "settings": "assignment's text"} | {
                length: f"{expected[int(length)]:.2f}" for length in LENGTHS[:-1] if int(length) in expected})
        for title, place in ("same settings", shown[0]), *BETWEEN.get(part, []), ("best recipe", shown[1]):
            some = runs(*place)
            rows.append({"part": part, "settings": title, "runs": str(len(some)), "minutes": minutes(some)}
                        | {length: cell(some, length) for length in LENGTHS})
    names = ["part", "settings", "runs", *LENGTHS, "minutes"]
    return markdown_table([{name: row.get(name, "") for name in names} for row in rows])


def changes_table():
    """What a change of the settings did to the accuracy on validation reviews."""
    return markdown_table([{name: row[name] for name in ("part", "what is tested", "change", "before", "after")}
                           for row in read(RESULTS / BEST / "changes.csv")])


def trials_table():
    """The recipes side by side: training and test accuracy of 1a, 1b and 2a."""
    rows = []
    for row in read(RESULTS / TRIALS / "results.csv"):
        trial = row["folder"].split("/")[-1].rpartition("-")[0]
        if row["part"] in ("1a", "1b", "2a") and trial in ("assignment", "overfit", "underfit"):
            rows.append({"part": row["part"], "recipe": trial, "epochs": row["epochs"],
                         "training accuracy": f"{100 * float(row['last train accuracy']):.2f}",
                         "training loss": f"{float(row['last train loss']):.3f}",
                         "test loss": f"{float(row['last test loss']):.3f}"}
                        | {f"test, {length}": cell([row], length) for length in ("50", "200", "whole")}
                        | {"minutes": minutes([row])})
    return markdown_table(rows)


def other_networks_table():
    """The course's other networks for 2a beside part 2a's own of the same width."""
    rows = []
    for name, title in ("assignment-", "part 2a, 100 hidden units"), ("SentimentRNN-", "SentimentRNN"), (
            "SentimentClassifier-", "SentimentClassifier"):
        [row] = runs(TRIALS, f"results/trials/2a/{name}")
        rows.append({"network": title, "epochs": row["epochs"],
                     "training accuracy": f"{100 * float(row['last train accuracy']):.2f}"}
                    | {f"test, {length}": cell([row], length) for length in ("128", "200", "whole")}
                    | {"minutes": minutes([row])})
    return markdown_table(rows)


def precision_table():
    """Test accuracy by what matrix multiplications are computed in, three seeds each."""
    rows = []
    for title, machine, name, length, kinds in (
            ("1a", "EPYC", "1a/{}-epyc-", "whole", ["float32", "bfloat16", "tf32"]),
            ("2a, 64 hidden units, 4 epochs", "EPYC", "2a/{}-epyc-4-epochs-", "100", ["float32", "bfloat16", "tf32"]),
            ("1a", "Xeon", "1a/{}-xeon-", "whole", ["float32", "bfloat16"]),
            ("2a, 64 hidden units, 12 epochs", "Xeon", "2a/{}-xeon-12-epochs-", "100", ["float32", "bfloat16"])):
        rows.append({"part": title, "machine": machine} | dict.fromkeys(("float32", "bfloat16", "tf32"), "") | {
            kind: cell(runs(LOGS, name.format(kind)), length) for kind in kinds})
    return markdown_table(rows)


def speed_table():
    """The benchmark on both machines: the assignment's loops beside these scripts."""
    rows = []
    machines = [json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["rows"]
                for name in ("bench_cpu_bfloat16_202611", "bench_cpu_202611")]
    for epyc, xeon in zip(*machines, strict=True):
        rows.append({"": f"{epyc['part']}, {epyc['what']}".removeprefix(", "), "loops": duration(epyc["loop_s"]),
                     "here": duration(epyc["ours_s"]), "bare nn.LSTM": duration(epyc["floor_s"]),
                     "times as fast": f"{epyc['loop_s'] / epyc['ours_s']:.1f}",
                     "Xeon, times as fast": f"{xeon['loop_s'] / xeon['ours_s']:.1f}"})
    return markdown_table(rows)


def duration(seconds):
    return "" if not seconds else f"{seconds:.1f} s" if seconds >= 1 else f"{1e3 * seconds:.1f} ms"


TABLES = {"parts": parts_table, "lengths": lengths_table, "changes": changes_table, "trials": trials_table,
          "other networks": other_networks_table, "precision": precision_table, "speed": speed_table}


def fill(text):
    """A page's text with its tables made anew."""
    return TABLE.sub(lambda found: found[1] + found[2] + TABLES[found[1]]() + "\n", text)


def points():
    """What the figure shows: {part: {name: {sequence length in tokens, or "whole": test accuracy in percent}}}."""
    shown = {}
    for part in HEADLINE:
        curves = {"assignment": {str(length): accuracy for length, accuracy in PARTS[part].accuracy.items()}}
        for title, place in zip(("same settings", "best recipe"), SHOWN[part]):
            some = runs(*place)
            curves[title] = {length: round(statistics.mean(accuracies(some, length)), 2)
                             for length in [*map(str, range(50, 501, 50)), "whole"] if accuracies(some, length)}
        shown[part] = curves
    return shown


@plain_style
def draw(path):
    """Test accuracy by sequence length, a panel a part, in colours that differ in grey too (Okabe and Ito).

    The file says in its description what it shows, so that a test can tell whether it is that of today's results.
    """
    looks = {"assignment": dict(color="black", marker="o", linestyle="--", markerfacecolor="white"),
             "same settings": dict(color="#0072B2", marker="s"), "best recipe": dict(color="#E69F00", marker="^")}
    figure, axes = subplots(1, len(HEADLINE), figsize=(10, 3.4), sharey=True)
    for axis, (part, curves) in zip(axes, points().items()):
        for name, curve in curves.items():
            crops = {int(length): accuracy for length, accuracy in curve.items() if length != "whole"}
            axis.plot(*zip(*sorted(crops.items())), label=name, markersize=5, **looks[name])
            if "whole" in curve:
                axis.plot([575], [curve["whole"]], markersize=5, **looks[name])
        axis.set_title(f"{part}: {PARTS[part].title}", fontsize="medium")
        axis.set_xticks([50, 200, 350, 500, 575], ["50", "200", "350", "500", "whole"], fontsize="small")
        axis.set_xlabel("tokens of the test reviews")
        axis.grid(axis="y", color="0.9")
    axes[0].set_ylabel("test accuracy (%)")
    axes[0].legend(loc="lower right", fontsize="small")
    with replace_file(path, "wb") as file:
        figure.savefig(file, format="png", dpi=110, metadata={"Description": json.dumps(points())})


def main():
    Parser(__doc__).parse_args()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        with replace_file(page) as file:
            file.write(fill(text))
    draw(FIGURE)
    print(f"wrote {FIGURE} and the tables of {len(PAGES)} pages")


if __name__ == "__main__":
    run_script(main)
