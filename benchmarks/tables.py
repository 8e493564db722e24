"""Write the results tables of the README and docs/, and the figure of docs/better.md, from benchmarks/results.

    python benchmarks/tables.py

A table stands in a page between the lines <!-- table: NAME --> and <!-- end of table -->; the functions of TABLES
make them. What is shown of each part is named in SHOWN.
"""

import re
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.arguments import Parser
from common.errors import run_script
from common.files import replace_file
from common.parts import PARTS, ROOT
from common.results.figures import save_lengths_figure
from common.results.records import read_table
from common.results.sheets import markdown_table
from common.results.trials import assignment, mean

RESULTS = ROOT / "benchmarks" / "results"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FIGURE = ROOT / "docs" / "accuracy_by_length.png"
TABLE = re.compile(r"(?<=<!-- table: )([a-z ]+)( -->\n).*?(?=<!-- end of table -->)", re.DOTALL)

# Of each part by their settings the runs that are shown: folder of a results.csv, and how the names of their own
# folders begin.
LOGS, BAGS = "from_logs_202611", "bags_cpu_202611"
SHOWN = {
    "1a": {"same settings": (BAGS, "1a/assignment-"), "best recipe": ("best_1a_cpu_202611", "1a/best-")},
    "1b": {"same settings": (BAGS, "1b/assignment-"), "best recipe": ("best_1a_1b_cpu_202611", "1b/best-")},
    "2a": {"same settings": (LOGS, "2a/assignment-"), "300 units, 12 epochs": (LOGS, "2a/300-units-"),
           "best recipe": ("best_2a_cpu_202611", "2a/best-")},
    "2b": {"same settings": (LOGS, "2b/assignment-"),
           "best recipe, `--ngram-weight 0.3`, labels of 3c's ensemble": ("self_training_cpu_202611", "2b/best-"),
           "best recipe": ("best_2b_cpu_202611", "2b/best-")},
    "3a": {"best recipe": ("best_3c_cpu_202611", "3a")},
    "3c": {"same settings": ("gpu_202611", "3c/assignment-"),
           "same settings, after `3a --recipe short`": ("pretraining_cpu_202611", "3c/assignment-"),
           "two epochs, after `3a --recipe short`": ("pretraining_cpu_202611", "3c/best-"),
           "two epochs, after `3a --recipe long`": ("pretraining_long_cpu_202611", "3c/best-"),
           "best recipe": ("best_3c_cpu_202611", "3c/best-")},
}
# The sequence length in tokens that the README shows.
HEADLINE = {"1a": "whole", "1b": "whole", "2a": "400", "2b": "500", "3c": "500"}
LENGTHS = ["50", "100", "150", "200", "400", "500", "whole"]
# What the README says of each part.
DOES = {"1a": "averages word vectors, whatever the order of the words", "1b": "the same with ready-made word vectors",
        "2a": "reads the words in order (an LSTM)", "2b": "reads in order, with ready-made word vectors",
        "3a": "learns to predict the next word (a language model)", "3b": "writes reviews with the language model",
        "3c": "reads in order, starting from the language model"}
# A run's part of a log, which ends where its test has written its table.
TESTED = re.compile(r"wrote (?:.*/)?(\w+/[\w-]+)/test_table\.csv")
NETWORK_ALONE = re.compile(r"(?:sequence length (\S+)  )?test accuracy \S+  network alone (\S+)")


def runs(folder, name):
    """The rows of a results.csv whose folders' names begin with `name`: one a seed."""
    return [row for row in read_table(RESULTS / folder / "results.csv") if row["folder"].startswith(name)]


def accuracies(some):
    """Test accuracies in percent by length, {length: list}, at those lengths where every run has one."""
    return {length: [float(row[f"test accuracy at {length}"]) for row in some] for length in LENGTHS
            if all(row.get(f"test accuracy at {length}") for row in some)}


def networks_alone(folder, name):
    """Test accuracies in percent of an ensemble's runs without the n-grams, from the logs beside: {length: list}."""
    found = {}
    for log in sorted((RESULTS / folder).glob("*.log")):
        pieces = TESTED.split(log.read_text(encoding="utf-8"))
        for printed, run in zip(pieces[::2], pieces[1::2]):
            if run.startswith(name):
                for length, accuracy in NETWORK_ALONE.findall(printed):
                    found.setdefault(length or "whole", []).append(float(accuracy))
    return found


def table(names, rows):
    """Rows, a list of dicts of Markdown by column, as a table; what a row does not have is left blank."""
    return markdown_table([{name: row.get(name, "") for name in names} for row in rows])


def minutes(some):
    """Of one training: the median, since some were halted by other jobs; results.csv leaves out what times nothing."""
    median = statistics.median(float(row["seconds"]) for row in some if row["seconds"]) / 60
    return {"minutes": f"{median:.1f}" if median < 10 else f"{median:.0f}"}


def parts_table():
    """The README's: a part a row, a number a cell."""
    rows = []
    for part, info in PARTS.items():
        row = {"part": f"[{part}]({info.train})", "what it does": DOES[part]}
        if part in SHOWN:
            row |= minutes(runs(*SHOWN[part]["best recipe"]))
        if part in HEADLINE:
            length, shown = HEADLINE[part], SHOWN[part]
            figures = {"same settings": accuracies(runs(*shown["same settings"])).get(length),
                       "best recipe, network alone": networks_alone(*shown["best recipe"]).get(length),
                       "best recipe, with n-grams": accuracies(runs(*shown["best recipe"])).get(length)}
            row |= {name: f"{statistics.mean(some):.2f}" for name, some in figures.items() if some}
            row |= {"words read": length.replace("whole", "all"),
                    "assignment's text": assignment(part, length).replace("-", " to ")}
        rows.append(row)
    return table(["part", "what it does", "words read", "assignment's text", "same settings",
                  "best recipe, network alone", "best recipe, with n-grams", "minutes"], rows)


def lengths_table():
    """Test accuracy by sequence length, beside the assignment's."""
    rows = []
    for part in HEADLINE:
        if isinstance(PARTS[part].accuracy, dict):
            rows.append({"part": part, "settings": "assignment's text"}
                        | {length: assignment(part, length) for length in LENGTHS})
        for title, place in SHOWN[part].items():
            some, alone = runs(*place), networks_alone(*place)
            row = {"part": part, "runs": str(len(some))}
            if alone:
                rows.append(row | {"settings": f"{title}, network alone"}
                            | {length: mean(values) for length, values in alone.items()})
            rows.append(row | {"settings": f"{title}, with n-grams" if alone else title}
                        | {length: mean(values) for length, values in accuracies(some).items()} | minutes(some))
    return table(["part", "settings", "runs", *LENGTHS, "minutes"], rows)


def changes_table():
    """What a change of the settings did to the accuracy on validation reviews."""
    return table(["part", "what is tested", "change", "before", "after"],
                 read_table(RESULTS / "best_cpu_202611" / "changes.csv"))


TABLES = {"parts": parts_table, "lengths": lengths_table, "changes": changes_table}


def fill(text):
    """A page's text with its tables made anew."""
    return TABLE.sub(lambda found: found[1] + found[2] + TABLES[found[1]]() + "\n", text)


def draw(path):
    """Test accuracy of the best recipes by sequence length, beside the assignment's."""
    found, expected = {}, {}
    for part in "2a", "2b", "3c":
        found[f"{part}, best recipe"] = accuracies(runs(*SHOWN[part]["best recipe"]))
        expected[f"{part}, assignment"] = PARTS[part].accuracy
    save_lengths_figure(path, "Random crops of the test reviews", found, expected)


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
