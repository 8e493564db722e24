"""Figures: learning curves, and accuracy by sequence length; none wider than a page shows it."""

import itertools
import math
import sys
import textwrap

import numpy as np

from common.errors import UserError
from common.files import replace_file

try:
    import matplotlib
except OSError as error:
    raise UserError("matplotlib: needs a folder that it can write to; name one with MPLCONFIGDIR") from error
except ValueError as error:
    raise UserError(f"matplotlib: cannot read MPLBACKEND or matplotlibrc ({error}); unset MPLBACKEND, or name another "
                    "matplotlibrc with MATPLOTLIBRC") from error
from matplotlib.figure import Figure            # without pyplot, and the display that it would look for

DPI = 144        # half as many again as a page shows of it
# Told apart by colour-blind readers (after Okabe and Ito 2008), and in grey: each is lighter than the one before.
COLOURS = BLACK, BLUE, ORANGE, SKY = ["#000000", "#004c8c", "#d55e00", "#56b4e9"]
MARKERS = "osD^vP*"     # seven beside four colours: no two of the first 28 lines have both in common
SPLITS = {"train": dict(color=BLUE, linestyle="-", marker="o"),
          "validation": dict(color=SKY, linestyle="-.", marker="^"),
          "test": dict(color=ORANGE, linestyle="--", marker="s")}
METRICS = ("loss", "cross entropy (nats)", 1), ("accuracy", "accuracy (%)", 100)

# Decorates what draws a figure: a user's matplotlibrc may ask for LaTeX, which may not be there.
plain_style = matplotlib.rc_context({name: value for name, value in matplotlib.rcParamsDefault.items()
                                     if not name.startswith("backend")})


@plain_style
def save_curves(path, title, curves, beside=(), kept=None):
    """Loss by epoch, and accuracy below.

    Args:
        curves: dict of lists, a value an epoch: train_loss, train_accuracy, and the same for
            validation and test; NaN where an epoch has no value.
        beside: curves of other trials, with which these share their scales; kept: the epoch whose weights were kept.
    """
    figure = Figure((3.8, 4.8), layout="constrained")
    axes = figure.subplots(2, sharex=True)
    for axis, (metric, label, scale) in zip(axes, METRICS):
        for split, style in SPLITS.items():
            if points := finite(curves[f"{split}_{metric}"], scale):
                axis.plot(*zip(*points), markersize=4 if len(points) < 30 else 0, label=split, **style)
        values = [value for some in beside for split in SPLITS for _, value in finite(some[f"{split}_{metric}"], scale)]
        if values:
            margin = 0.05 * (max(values) - min(values)) or 0.05
            axis.set_ylim(min(values) - margin, max(values) + margin)
        if kept:
            axis.axvline(kept, color="0.5", linestyle=":", label="kept")
        axis.set_ylabel(label)
    axes[1].set_xlabel("epoch")
    axes[1].xaxis.get_major_locator().set_params(integer=True)
    if axes[0].get_lines():
        axes[0].legend(fontsize="small")
    axes[0].set_title(textwrap.fill(title, 42), fontsize="medium")
    save_figure(path, figure)


def finite(values, scale):
    """(epoch, scaled value) of the epochs that have one."""
    return [(epoch, scale * value) for epoch, value in enumerate(values, 1) if math.isfinite(value)]


@plain_style
def save_lengths_figure(path, title, tables, expected=None):
    """Test accuracy against sequence length.

    Args:
        tables: dict of {sequence length in tokens or "whole": test accuracies in percent, a list with one of each
            seed} by name; a line is their mean, its band a standard deviation to either side, and whole reviews are
            a horizontal line.
        expected: dict of {sequence length: test accuracy} of another source by name, drawn hollow and dashed.
    """
    figure = Figure((5.2, 4 + 0.12 * len(tables)), layout="constrained")
    axis = figure.subplots()
    for (name, table), marker, colour in zip(tables.items(), itertools.cycle(MARKERS), itertools.cycle(COLOURS)):
        x = sorted(int(length) for length in table if length != "whole")
        means = np.array([np.mean(table[str(length)]) for length in x])
        spread = np.array([np.std(table[str(length)], ddof=1) if len(table[str(length)]) > 1 else 0 for length in x])
        axis.plot(x, means, color=colour, marker=marker, label=name)
        if spread.any():
            axis.fill_between(x, means - spread, means + spread, color=colour, alpha=0.25, linewidth=0)
        if "whole" in table:
            axis.axhline(np.mean(table["whole"]), color=colour, linestyle=":", linewidth=1)
    for (name, table), marker in zip((expected or {}).items(), MARKERS):
        axis.plot(*zip(*table.items()), color="0.35", marker=marker, linestyle="--", markerfacecolor="white",
                  label=name)
    if any("whole" in table for table in tables.values()):
        axis.plot([], [], "k:", label="whole reviews")
    axis.set(xlabel="sequence length (tokens)", ylabel="test accuracy (%)")
    axis.set_title(title, fontsize="medium")
    figure.legend(loc="outside lower center", ncols=2, fontsize="small")
    save_figure(path, figure)


def save_figure(path, figure):
    """Write a figure; one that cannot be drawn or written costs a line on standard error, and no result."""
    try:
        with replace_file(path, "wb") as file:
            figure.savefig(file, format="png", dpi=DPI)
    except (UserError, RuntimeError, ValueError, MemoryError) as error:
        print(f"{path}: no figure ({' '.join(str(error).split())})", file=sys.stderr)
