"""Figures: learning curves, accuracy by sequence length, and where a model is wrong."""

import itertools
import math
import textwrap

from common.plots import plain_style, save_figure, subplots

# Told apart by colour-blind readers (after Okabe and Ito 2008), and in grey: each is lighter than the one before.
COLOURS = ["#000000", "#004c8c", "#d55e00", "#56b4e9"]
BLACK, BLUE, ORANGE, SKY = COLOURS
MARKERS = "osD^vP*X"
SPLITS = {"train": dict(color=BLUE, linestyle="-"), "validation": dict(color=SKY, linestyle="-.", marker="^"),
          "test": dict(color=ORANGE, linestyle="--", marker="s")}
METRICS = ("loss", "cross entropy (nats)", 1), ("accuracy", "accuracy (%)", 100)


@plain_style
def save_curves(path, title, curves):
    """Loss and accuracy by epoch.

    Args:
        curves: dict of lists, a value an epoch: train_loss, train_accuracy, and the same for
            validation and test; NaN where an epoch has no value.
    """
    figure, axes = subplots(1, 2, figsize=(9, 3.5))
    for axis, (metric, label, scale) in zip(axes, METRICS):
        draw_splits(axis, curves, metric, scale)
        label_epochs(axis)
        axis.set_ylabel(label)
        axis.legend()
    figure.suptitle(title)
    save_figure(path, figure)


def label_epochs(axis):
    axis.set_xlabel("epoch")
    axis.xaxis.get_major_locator().set_params(integer=True)


def draw_splits(axis, curves, metric, scale):
    """The training, validation and test curve of a metric, as far as there are such."""
    for split, style in SPLITS.items():
        draw_curve(axis, curves[f"{split}_{metric}"], scale, markersize=4, label=split, **style)


def draw_curve(axis, values, scale, **style):
    """A value an epoch, times scale; epochs without one (NaN) are left out."""
    points = [(epoch, scale * value) for epoch, value in enumerate(values, 1) if math.isfinite(value)]
    if points:
        axis.plot(*zip(*points), **style)


@plain_style
def save_trial_figure(path, title, curves, beside):
    """Learning curves of one trial, loss above and accuracy below, to stand beside those of other trials.

    Args:
        curves: as in save_curves; beside: a list of the curves of all trials, which share their scales.
    """
    figure, axes = subplots(2, figsize=(3.4, 4.6), sharex=True)
    for axis, (metric, label, scale) in zip(axes, METRICS):
        draw_splits(axis, curves, metric, scale)
        values = [scale * value for some in beside for split in SPLITS for value in some[f"{split}_{metric}"]
                  if math.isfinite(value)]
        if values:
            margin = 0.05 * (max(values) - min(values)) or 0.05
            axis.set_ylim(min(values) - margin, max(values) + margin)
        axis.set_ylabel(label)
    label_epochs(axes[1])
    axes[0].legend(fontsize="small")
    axes[0].set_title(textwrap.fill(title, 45), fontsize="small")
    save_figure(path, figure)


@plain_style
def save_lengths_figure(path, title, tables, expected=None):
    """Test accuracy against sequence length.

    Args:
        tables: dict of {sequence length in tokens or "whole": test accuracy in percent} by name; whole reviews
            are a horizontal line.
        expected: the same of another source, drawn hollow and dashed.
    """
    figure, axis = subplots(figsize=(6, 4.4 + 0.1 * len(tables)))
    for (name, table), (marker, colour) in zip(tables.items(), looks()):
        crops = sorted((int(length), accuracy) for length, accuracy in table.items() if length != "whole")
        axis.plot(*zip(*crops), color=colour, marker=marker, label=name)
        if "whole" in table:
            axis.axhline(table["whole"], color=colour, linestyle=":", linewidth=1)
    for (name, table), marker in zip((expected or {}).items(), MARKERS):
        axis.plot(*zip(*table.items()), color="0.35", marker=marker, linestyle="--", markerfacecolor="white",
                  label=name)
    if any("whole" in table for table in tables.values()):
        axis.plot([], [], "k:", label="whole reviews")
    axis.set_xlabel("sequence length (tokens)")
    axis.set_ylabel("test accuracy (%)")
    axis.set_title(title)
    figure.legend(loc="outside lower center", ncols=2, fontsize="small")
    save_figure(path, figure)


@plain_style
def save_perplexity_figure(path, runs):
    """Perplexity by epoch on training and test reviews; runs: dict of curves as in save_curves, by name."""
    figure, axis = subplots(figsize=(6, 4))
    for (name, curves), (marker, colour) in zip(runs.items(), looks()):
        for split, style in ("train", "-"), ("test", "--"):
            perplexities = [math.exp(min(loss, 700)) for loss in curves[f"{split}_loss"]]
            draw_curve(axis, perplexities, 1, linestyle=style, color=colour, marker=marker, markersize=4,
                       label=f"{name}, {split}".lstrip(", "))
    axis.set_yscale("log")
    label_epochs(axis)
    axis.set_ylabel("perplexity")
    axis.legend(fontsize="small")
    save_figure(path, figure)


def looks():
    """(marker, colour) of one line after the other; no two of the first 32 have both in common."""
    colours = itertools.chain.from_iterable(
        COLOURS[shift:] + COLOURS[:shift] for shift in itertools.cycle([0, 0, 1, 1, 2, 2, 3, 3]))
    return zip(itertools.cycle(MARKERS), colours)


@plain_style
def save_calibration_figure(path, points):
    """Share of positive reviews against predicted probability; points: of comparisons.calibration."""
    figure, axis = subplots(figsize=(3.6, 3.2))
    axis.plot([0, 1], [0, 1], color=BLACK, linestyle=":", linewidth=1, label="calibrated")
    axis.plot(*zip(*[point[:2] for point in points]), color=BLUE, marker="o", label="model")
    axis.set_xlabel("predicted probability")
    axis.set_ylabel("share of positive reviews")
    axis.set_title("Calibration", fontsize="small")
    axis.legend(fontsize="small")
    save_figure(path, figure)


@plain_style
def save_bars_figure(path, title, label, accuracies):
    """Accuracy in percent of groups of reviews, by the groups' names; label: what the groups are by."""
    figure, axis = subplots(figsize=(3.6, 3.2))
    bars = axis.bar(list(accuracies), list(accuracies.values()), color=BLUE)
    axis.bar_label(bars, fmt="%.0f", fontsize="small")
    axis.set_ylim(0, 110)
    axis.set_xlabel(label)
    axis.set_ylabel("accuracy (%)")
    axis.set_title(title, fontsize="small")
    axis.tick_params(axis="x", labelsize="small")
    save_figure(path, figure)
