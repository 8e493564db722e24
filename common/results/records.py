"""What a run leaves on record, and how it is found again: record.json beside test_table.csv."""

import csv
import dataclasses
import json
import math
import platform
from pathlib import Path

import numpy as np
import torch

from common.errors import UserError
from common.files import replace_file
from common.processes import processes

# Beside the seed, options that say when to look and when to save.
SHAPES_NOTHING = {"seed", "test_every", "validate_every", "save_every"}


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished training and its test.

    folder: where its files are; part: "1a" to "3c".
    options: dict of the options that it was trained with, plain values; machine: dict that describes where.
    seconds: of training, stops left out.
    curves: dict of lists, a value an epoch, NaN where an epoch has none.
    table: rows of test_table.csv, dicts of text; none before the part's test script has run.
    """

    folder: Path
    part: str
    options: dict
    machine: dict
    seconds: float
    curves: dict
    table: list

    def accuracy(self):
        """Test accuracy in percent by sequence length in tokens, "whole" for whole reviews."""
        return {row.get("sequence length", "whole"): float(row["test accuracy"])
                for row in self.table if "test accuracy" in row}

    def settings(self):
        """The options that shape what is learned, but the seed: runs that share them are one trial."""
        return {name: value for name, value in self.options.items() if name not in SHAPES_NOTHING}


def describe_machine(device):
    """Names of the processor, the GPU if that computes, and the versions that numbers depend on."""
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].split(":")[1].strip() if names else cpu
    return {"cpu": cpu, "threads": torch.get_num_threads(), "processes": processes.size,
            "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
            "python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}


def write_record(path, part, options, device, seconds, curves):
    """Write record.json; arguments as in Run."""
    curves = {name: [None if math.isnan(value) else value for value in values] for name, values in curves.items()}
    with replace_file(path) as file:
        json.dump({"part": part, "options": options, "machine": describe_machine(device), "seconds": seconds,
                   "curves": curves}, file, indent=1, allow_nan=False)


def read_run(path):
    """The Run of a record.json.

    Raises:
        UserError: the file is not one that write_record wrote.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        curves = {name: [math.nan if value is None else value for value in values]
                  for name, values in record.pop("curves").items()}
        table = path.with_name("test_table.csv")
        return Run(folder=path.parent, curves=curves, table=read_table(table) if table.exists() else [], **record)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path}: not the record of a run; train its part again with --restart") from error


def read_runs(folders):
    """All runs in the folders, however deep, each once, those of the shortest path first."""
    paths = {path.resolve(): path for folder in folders for path in Path(folder).rglob("record.json")}.values()
    return [read_run(path) for path in sorted(paths, key=lambda path: (len(path.parts), path))]


def save_table(path, rows):
    """Write rows, a list of dicts with the same keys, as a CSV file."""
    with replace_file(path) as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_table(path):
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise UserError(f"{path}: an empty table; run the part's test script again")
    return rows
