"""Write the results tables of the README and docs/, and the figure of docs/better.md, from benchmarks/results.

    python benchmarks/tables.py

A table stands in a page between the lines <!-- table: NAME --> and <!-- end of table -->; the functions of TABLES
make them. What is shown of each part is named in SHOWN.
"""

import csv
import json
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
# What the README says of each part.
DOES = {"1a": "averages word vectors, whatever the order of the words", "1b": "the same with ready-made word vectors",
        "2a": "reads the words in order (an LSTM)", "2b": "reads in order, with ready-made word vectors",
        "3a": "learns to predict the next word (a language model)", "3b": "writes reviews with the language model",
        "3c": "reads in order, starting from the language model"}
# A run's part of a log, which ends where its test has written its table.
TESTED = re.compile(r"wrote (?:.*/)?(\w+/[\w-]+)/test_table\.csv")
NETWORK_ALONE = re.compile(r"(?:sequence length (\S+)  )?test accuracy \S+  network alone (\S+)")


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


def networks_alone(folder, name):
    """What the networks of an ensemble's runs reach without the n-grams, from the logs in the runs' folder.

    Returns:
        dict by length, "whole" for all tokens, of lists of test accuracies in percent, one a run; empty where the
        logs do not say.
    """
    found = {}
    for log in sorted((RESULTS / folder).glob("*.log")):
        pieces = TESTED.split(log.read_text(encoding="utf-8"))
        for printed, run in zip(pieces[::2], pieces[1::2]):
            if run.startswith(name):
                for length, accuracy in NETWORK_ALONE.findall(printed):
                    found.setdefault(length or "whole", []).append(float(accuracy))
    return found


def cell(some, length):
    values = accuracies(some, length)
    return mean(values) if values else ""


def minutes(some):
    """Of one training: the median, since some were halted by other jobs; results.csv leaves out what times nothing."""
    median = statistics.median(float(row["seconds"]) for row in some if row["seconds"]) / 60
    return f"{median:.1f}" if median < 10 else f"{median:.0f}"


def parts_table():
    """The README's: a part a row, a number a cell."""
    rows = []
    for part, info in PARTS.items():
        length = str(HEADLINE.get(part, "whole"))
        row = {"part": f"[{part}]({info.train})", "what it does": DOES[part]}
        if info.accuracy:
            same, best = SHOWN[part]
            alone = networks_alone(*best).get(length)
            row |= {"words read": length.replace("whole", "all"),
                    "assignment's text": info.accuracy.replace("-", " to ") if length == "whole" else
                    f"{info.accuracy[int(length)]:.2f}",
                    "same settings": f"{statistics.mean(accuracies(runs(*same), length)):.2f}",
                    "best recipe": f"{statistics.mean(alone):.2f}" if alone else "",
                    "with a second opinion": f"{statistics.mean(accuracies(runs(*best), length)):.2f}"}
        if part in SHOWN:
            row["minutes"] = minutes(runs(*SHOWN[part][1]))
        rows.append(row)
    names = ["part", "what it does", "words read", "assignment's text", "same settings", "best recipe",
             "with a second opinion", "minutes"]
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
            some, alone = runs(*place), networks_alone(*place)
            if alone:
                rows.append({"part": part, "settings": f"{title}, network alone", "runs": str(len(some))} | {
                    length: mean(alone[length]) for length in LENGTHS if length in alone})
            rows.append({"part": part, "settings": f"{title}, with n-grams" if alone else title,
                         "runs": str(len(some)), "minutes": minutes(some)}
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
            if alone := networks_alone(*place):
                curves[f"{title}, network alone"] = {length: round(statistics.mean(some), 2)
                                                     for length, some in alone.items()}
        shown[part] = curves
    return shown


@plain_style
def draw(path):
    """Test accuracy by sequence length, a panel a part, in colours that differ in grey too (Okabe and Ito).

    The file says in its description what it shows, so that a test can tell whether it is that of today's results.
    """
    looks = {"assignment": dict(color="black", marker="o", linestyle="--", markerfacecolor="white"),
             "same settings": dict(color="#0072B2", marker="s"), "best recipe": dict(color="#E69F00", marker="^"),
             "best recipe, network alone": dict(color="#E69F00", marker="v", linestyle=":", markerfacecolor="white")}
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
    axes[-1].legend(loc="lower right", fontsize="small")
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
