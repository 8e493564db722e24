"""What a run leaves on record, and how it is found again: record.json beside test_table.csv."""

import codecs
import csv
import dataclasses
import io
import json
import math
import os
import platform
import sys
from pathlib import Path

import numpy as np
import torch

from common.errors import UserError
from common.files import replace_file
from common.options import SHAPES_NOTHING
from common.parts import PARTS
from common.processes import processes

CURVES = [f"{split}_{metric}" for split in ("train", "validation", "test") for metric in ("loss", "accuracy")]


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished training and its test.

    folder: where its files are; part: "1a" to "3c".
    options: dict of the options that it was trained with, plain values; machine: dict that describes where.
    overridden: names of those that are not as the recipe has them; none in older records.
    seconds: of training, stops left out.
    curves: dict of lists, a value an epoch, NaN where an epoch has none.
    table: rows of test_table.csv, dicts of text; none before the part's test script has run.
    data: of describe_data; empty in older records.
    """

    folder: Path
    part: str
    options: dict
    machine: dict
    seconds: float
    curves: dict
    table: list
    data: dict = dataclasses.field(default_factory=dict)
    overridden: list = dataclasses.field(default_factory=list)

    def accuracy(self):
        """Test accuracy in percent by sequence length in tokens, "whole" for whole reviews."""
        return {row.get("sequence length", "whole"): float(row["test accuracy"])
                for row in self.table if "test accuracy" in row}

    def settings(self):
        """The options that shape what is learned, but the seed."""
        return {name: value for name, value in self.options.items() if name not in SHAPES_NOTHING}

    def trial(self):
        """A key that runs share which differ by nothing but their seed: of the same part, settings and data."""
        return self.part, str(sorted(self.settings().items())), str(sorted(self.data.items()))

    def identity(self):
        """A key that a run shares with its copies: of the same trial, with the same seed and the same numbers."""
        return self.trial(), self.options.get("seed"), str(sorted(self.curves.items()))


def describe_machine(device):
    """Names of the processor, the GPU if that computes, and the versions that numbers depend on."""
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].split(":")[1].strip() if names else cpu
    return {"cpu": cpu, "threads": torch.get_num_threads(), "processes": processes.size,
            "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
            "python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}


def write_record(path, part, options, overridden, device, seconds, curves, data):
    """Write record.json; arguments as in Run."""
    curves = {name: [None if math.isnan(value) else value for value in values] for name, values in curves.items()}
    with replace_file(path) as file:
        json.dump({"part": part, "options": options, "overridden": overridden, "machine": describe_machine(device),
                   "seconds": seconds, "data": data, "curves": curves}, file, indent=1, allow_nan=False)


def read_run(path):
    """The Run of a record.json.

    A table that cannot be read, such as one that a spreadsheet saved with dates in it, costs a line on standard
    error and counts as none.

    Raises:
        UserError: the file is not one that write_record wrote.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        curves = {name: [math.nan if value is None else float(value) for value in values]
                  for name, values in record.pop("curves").items()}
        curves = {name: curves.get(name, [math.nan] * len(curves["train_loss"])) for name in CURVES} | curves
        run = Run(folder=path.parent, curves=curves, table=[], **record | {
            name: {key: printable(value) for key, value in some.items()}
            for name, some in {"options": record["options"], "machine": record["machine"],
                               "data": record.get("data", {})}.items()})
        epochs, *others = {len(values) for values in curves.values()}
        numbers = {"test_reviews": None, "reviews": None} | run.data if run.data else {}
        if run.part not in PARTS or not epochs or others or not run.seconds >= 0 or any(
                not isinstance(value, int) for name, value in numbers.items() if name != "name"):
            raise ValueError
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; train the part first") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path}: not the record of a run; move it away, or train its part again with "
                        "--restart") from error
    table = path.with_name("test_table.csv")
    try:
        return dataclasses.replace(run, table=read_table(table)) if table.exists() else run
    except UserError as error:
        print(f"{error}; its run counts as not tested", file=sys.stderr)
        return run


def read_runs(folders):
    """All runs in the folders, however deep, each once, those of the shortest path first.

    Linked folders count as any other. A record that is not one of ours, and the copy of a run, are named on standard
    error and left out.
    """
    paths = {path.resolve(): path for folder in folders for path in find_files(folder, "record.json")}.values()
    runs = {}
    for path in sorted(paths, key=lambda path: (len(path.parts), path)):
        try:
            run = read_run(path)
        except UserError as error:
            print(f"{error}; left out", file=sys.stderr)
            continue
        before = runs.setdefault(run.identity(), run)
        if before is not run:
            print(f"{run.folder}: the same run as {before.folder}; counted once", file=sys.stderr)
            if run.table and not before.table:
                runs[run.identity()] = run
    return list(runs.values())


def find_files(folder, name):
    """Paths of the files of that name in a folder, however deep, through links too."""
    def refuse(error):
        print(f"{error.filename}: cannot be read ({error.strerror}); left out", file=sys.stderr)

    seen = {Path(folder).resolve()}
    for path, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        inside = {Path(path, some).resolve(): some for some in sorted(folders)}
        folders[:] = [some for place, some in inside.items() if place not in seen]      # links may go in circles
        seen.update(inside)
        if name in files:
            yield Path(path, name)


def printable(value):
    """Text that any file can hold: a name that is not UTF-8 gets a ? for each odd byte; other plain values stay."""
    if isinstance(value, (dict, list)):
        raise TypeError
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def save_table(path, rows):
    """Write rows, a list of dicts with the same keys, as a CSV file; of several processes, the first alone writes."""
    if processes.rank > 0:
        return
    with replace_file(path) as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_table(path):
    """Rows of a test table, dicts of text, also where a spreadsheet has saved it in its own way.

    Raises:
        UserError: the file has no rows, or something else than a number where one belongs.
    """
    try:
        rows = [{name: value.replace(",", ".") for name, value in row.items()} for row in read_csv(path)]
        for row in rows:
            accuracy, length = float(row.get("test accuracy", 0)), row.get("sequence length", "whole")
            perplexity = float(row.get("perplexity", 1))
            if not {"test accuracy", "perplexity"}.intersection(row) or not (
                    0 <= accuracy <= 100 and perplexity >= 1 and (length == "whole" or int(length) >= 1)):
                raise ValueError
    except (OSError, ValueError, AttributeError, csv.Error) as error:
        raise UserError(f"{path}: not the table of a test; run the part's test script again") from error
    if not rows:
        raise UserError(f"{path}: an empty table; run the part's test script again")
    return rows


def read_csv(path):
    """Rows of a CSV file as dicts of text, also where a spreadsheet has saved it with semicolons or tabs."""
    content = path.read_bytes()
    text = content.decode("utf-16" if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig")
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    return [row for row in rows if any(row.values())]
