"""Figures: learning curves, and accuracy by sequence length. All can be read in grey."""

import itertools
import math

from common.plots import plain_style, save_figure, subplots

GREYS = ["0", "0.35", "0.6"]
MARKERS = "osD^vP*X"
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
        for split, style in ("train", "k-"), ("validation", "k:"), ("test", "ks--"):
            draw_curve(axis, curves[f"{split}_{metric}"], scale, style, markersize=3, label=split)
        label_epochs(axis)
        axis.set_ylabel(label)
        axis.legend()
    figure.suptitle(title)
    save_figure(path, figure)


def label_epochs(axis):
    axis.set_xlabel("epoch")
    axis.xaxis.get_major_locator().set_params(integer=True)


def draw_curve(axis, values, scale, *style, **more):
    """A value an epoch, times scale; epochs without one (NaN) are left out."""
    points = [(epoch, scale * value) for epoch, value in enumerate(values, 1) if value == value]
    if points:
        axis.plot(*zip(*points), *style, **more)


@plain_style
def save_trials_figure(path, title, trials):
    """Learning curves of several runs side by side, a column each: loss above, accuracy below.

    Args:
        trials: dict of curves as in save_curves, by the name of the trial.
    """
    figure, axes = subplots(2, len(trials), figsize=(2.6 * len(trials) + 1, 4.6),
                                sharex="col", sharey="row", squeeze=False)
    for column, (name, curves) in zip(axes.T, trials.items()):
        for axis, (metric, _, scale) in zip(column, METRICS):
            for split, style in ("train", "k-"), ("validation", "k:"), ("test", "ks--"):
                draw_curve(axis, curves[f"{split}_{metric}"], scale, style, markersize=3, label=split)
        column[0].set_title(name, fontsize="small")
        label_epochs(column[1])
    for axis, (_, label, _) in zip(axes[:, 0], METRICS):
        axis.set_ylabel(label)
    # Not every trial has validation reviews, and the first has room for the legend.
    handles = {label: handle for axis in axes[0] for handle, label in zip(*axis.get_legend_handles_labels())}
    axes[0, 0].legend(handles.values(), handles.keys())
    figure.suptitle(title)
    save_figure(path, figure)


@plain_style
def save_lengths_figure(path, title, tables, expected=None):
    """Test accuracy against sequence length.

    Args:
        tables: dict of {sequence length in tokens or "whole": test accuracy in percent} by name; whole reviews
            are a horizontal line.
        expected: the same of another source, drawn hollow and dashed.
    """
    figure, axis = subplots(figsize=(6, 4))
    looks = zip(itertools.cycle(MARKERS), itertools.cycle(GREYS))
    for (name, table), (marker, grey) in zip(tables.items(), looks):
        crops = sorted((int(length), accuracy) for length, accuracy in table.items() if length != "whole")
        axis.plot(*zip(*crops), color=grey, marker=marker, label=name)
        if "whole" in table:
            axis.axhline(table["whole"], color=grey, linestyle=":", linewidth=1)
    for (name, table), marker in zip((expected or {}).items(), MARKERS):
        axis.plot(*zip(*table.items()), color="0.35", marker=marker, linestyle="--", markerfacecolor="white",
                  label=name)
    if any("whole" in table for table in tables.values()):
        axis.plot([], [], "k:", label="whole reviews")
    axis.set_xlabel("sequence length (tokens)")
    axis.set_ylabel("test accuracy (%)")
    axis.set_title(title)
    axis.legend(fontsize="small")
    save_figure(path, figure)


@plain_style
def save_perplexity_figure(path, runs):
    """Perplexity by epoch on training and test reviews; runs: dict of curves as in save_curves, by name."""
    figure, axis = subplots(figsize=(6, 4))
    for (name, curves), grey in zip(runs.items(), itertools.cycle(GREYS)):
        for split, style in ("train", "-"), ("test", "s--"):
            perplexities = [math.exp(loss) for loss in curves[f"{split}_loss"]]
            draw_curve(axis, perplexities, 1, style, color=grey, markersize=4, label=f"{name}, {split}".lstrip(", "))
    axis.set_yscale("log")
    label_epochs(axis)
    axis.set_ylabel("perplexity")
    axis.legend(fontsize="small")
    save_figure(path, figure)
