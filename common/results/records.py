"""What a run leaves on record, and how it is found again: record.json beside test_table.csv."""

import csv
import dataclasses
import json
import math
import os
import sys
from pathlib import Path

from common.errors import UserError
from common.files import replace_file
from common.options import SHAPES_NOTHING
from common.parts import PARTS

CURVES = [f"{split}_{metric}" for split in ("train", "validation", "test") for metric in ("loss", "accuracy")]
BYTE_ORDER_MARK = "\ufeff"      # tells Excel that a file is UTF-8; without it, it shows Â± for ±


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished training and its test.

    folder: where its files are; part: "1a" to "3c".
    options: dict of the options that it was trained with, plain values; machine: dict that describes where.
    overridden: names of the options that are not as the recipe has them.
    seconds: of training, stops left out.
    curves: dict of lists, a value an epoch, NaN where an epoch has none.
    data: of describe_data; network: "file", "class" and "source", a checksum of the file.
    weights: checksum of the trained weights; kept_epoch: the epoch that they are of, from 1.
    table: rows of test_table.csv, dicts of text; none before the part's test script has run.
    """

    folder: Path
    part: str
    options: dict
    overridden: list
    machine: dict
    seconds: float
    data: dict
    network: dict
    weights: str
    kept_epoch: int
    curves: dict
    table: list = dataclasses.field(default_factory=list)

    def accuracy(self):
        """Test accuracy in percent by sequence length in tokens, "whole" for whole reviews."""
        return {row.get("sequence length", "whole"): float(row["test accuracy"])
                for row in self.table if "test accuracy" in row}

    @property
    def labels(self):
        """Names of the negative and the positive label."""
        return [self.data.get(name, name) for name in ("negative", "positive")]

    def kept(self, curve):
        """The value of a curve in the epoch whose weights were kept."""
        return self.curves[curve][self.kept_epoch - 1]

    def epochs(self):
        """The epochs trained as text: "20", or "7 of 10" where the seventh was kept."""
        trained = len(self.curves["train_loss"])
        return str(trained) if self.kept_epoch == trained else f"{self.kept_epoch} of {trained}"

    def settings(self):
        """The options that shape what is learned, but the seed."""
        return {name: value for name, value in self.options.items() if name not in SHAPES_NOTHING}

    def trial(self):
        """A key that runs share which differ by nothing but their seed: of one part, network, settings and data."""
        return self.part, *(str(sorted(some.items())) for some in (self.settings(), self.data, self.network))


def write_record(path, **record):
    """Write record.json, what a Run has but its folder and table."""
    curves = {name: [None if math.isnan(value) else value if math.isfinite(value) else str(value) for value in values]
              for name, values in record["curves"].items()}         # JSON has neither NaN nor infinity
    with replace_file(path) as file:
        json.dump(record | {"curves": curves}, file, indent=1, allow_nan=False)


def read_run(path):
    """The Run of a record.json.

    A table that cannot be read, such as one that a spreadsheet saved in its own way, or that is of other weights,
    costs a line on standard error and counts as none.

    Raises:
        UserError: the file is not one that write_record wrote.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        for name in "options", "machine", "data", "network":
            record[name] = {key: printable(value) for key, value in record[name].items()}
        record["curves"] = {name: [math.nan if value is None else float(value) for value in record["curves"][name]]
                            for name in CURVES}
        run = Run(path.parent, **record)
        [epochs] = {len(values) for values in run.curves.values()}
        numbers = [run.data["test_reviews"], run.data["reviews"], run.kept_epoch]
        if run.part not in PARTS or not (run.options and run.machine) or not run.seconds >= 0 or (
                not all(isinstance(number, int) for number in numbers) or not 1 <= run.kept_epoch <= epochs):
            raise ValueError
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; train the part first") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path}: not the record of a run; move it away, or train its part again with "
                        "--restart") from error
    table = path.with_name("test_table.csv")
    try:
        return dataclasses.replace(run, table=read_table(table, run.weights) if table.exists() else [])
    except UserError as error:
        print(f"{error}; its run counts as not tested", file=sys.stderr)
        return run


def read_runs(folders):
    """All runs in the folders, those of the shortest path first, and each seed of a trial once.

    A record that is not one of ours, and a second run with the settings and seed of another, are named on standard
    error and left out.

    Raises:
        UserError: there are records, but none is one of ours.
    """
    runs, errors = {}, []
    for path in find_files(folders, "record.json"):
        try:
            run = read_run(path)
        except UserError as error:
            errors.append(error)
            continue
        key = run.trial(), run.options.get("seed")
        before = runs.setdefault(key, run)
        if before is not run:
            print(f"{run.folder}: the settings and the seed of {before.folder}; counted once", file=sys.stderr)
            if run.table and not before.table:
                runs[key] = run
    if errors and not runs:
        raise errors[0]
    for error in errors:
        print(f"{error}; left out", file=sys.stderr)
    return list(runs.values())


def find_files(folders, name):
    """Paths of the files of that name in the folders, however deep, through links too; the shortest first."""
    found, seen = {}, set()
    for folder in folders:
        for path, inner, files in os.walk(folder, followlinks=True):
            if os.path.realpath(path) in seen:          # links may go in circles
                inner.clear()
            elif name in files:
                found[Path(path, name).resolve()] = Path(path, name)
            seen.add(os.path.realpath(path))
    return sorted(found.values(), key=lambda path: (len(path.parts), path))


def printable(value):
    """A plain value that any file can hold: of a list its values as text, and a ? for each byte that is not UTF-8."""
    if isinstance(value, dict):
        raise TypeError
    value = " ".join(map(str, value)) if isinstance(value, list) else value
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def save_table(path, rows, mark=""):
    """Write rows, a list of dicts, as a CSV file; mark: BYTE_ORDER_MARK for one that is made for a spreadsheet."""
    with replace_file(path) as file:
        file.write(mark)
        names = dict.fromkeys(name for row in rows for name in row)
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_table(path, weights=None):
    """Rows of a CSV file that a test script wrote, dicts of text.

    Args:
        weights: checksum of those that all rows should be of, if not None.

    Raises:
        UserError: something else than a number where one belongs, no rows, or rows of other weights.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:      # Excel begins a file with a byte order mark
            rows = list(csv.DictReader(file))
        for row in rows:
            for name in {"test accuracy", "perplexity", "logit"}.intersection(row):
                float(row[name])
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise UserError(f"{path}: not the table of a test; run the part's test script again") from error
    if weights is not None and {row.get("weights") for row in rows} != {weights}:
        raise UserError(f"{path}: of other weights than record.json; run the part's test script again")
    return rows
