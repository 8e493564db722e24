"""Figures show what is in the tables, with axes that say what they are."""

import itertools
import os
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from parts import ROOT

from common.results import figures
from common.results.figures import COLOURS, MARKERS, save_curves, save_lengths_figure

NAN = float("nan")
CURVES = {"train_loss": [0.7, 0.5, 0.4], "train_accuracy": [0.5, 0.7, 0.8],
          "validation_loss": [NAN] * 3, "validation_accuracy": [NAN] * 3,
          "test_loss": [NAN, 0.6, NAN], "test_accuracy": [NAN, 0.65, NAN]}
TABLE = {"100": [81.5], "50": [76.0], "whole": [81.0]}


@pytest.fixture
def drawn(monkeypatch):
    """The figures that would be written."""
    found = []
    monkeypatch.setattr(figures, "save_figure", lambda path, figure: found.append(figure))
    yield found
    plt.close("all")


def lines(axis):
    """Points of each line that has a name in the legend, by that name."""
    return {line.get_label(): list(zip(*np.array(line.get_data()).tolist())) for line in axis.get_lines()
            if not line.get_label().startswith("_")}


@pytest.mark.parametrize("draw", [
    lambda path: save_curves(path, "Part 1a", CURVES),
    lambda path: save_curves(path, "assignment", CURVES, [CURVES, CURVES], kept=2),
    lambda path: save_lengths_figure(path, "Part 2a", {"random crops": TABLE})], ids=["curves", "trial", "lengths"])
def test_a_figure_is_a_png_file_and_is_closed(draw, tmp_path):
    draw(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert plt.imread(tmp_path / "figure.png").std() > 0
    assert not plt.get_fignums()


def test_curves_show_the_epochs_that_have_a_value(drawn):
    save_curves("curves.png", "Part 1a", CURVES)
    loss, accuracy = drawn[0].axes
    assert lines(loss) == {"train": [(1, 0.7), (2, 0.5), (3, 0.4)], "test": [(2, 0.6)]}
    assert lines(accuracy) == {"train": [(1, 50), (2, 70), (3, 80)], "test": [(2, 65)]}
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("cross entropy (nats)", "accuracy (%)")
    assert loss.get_title() == "Part 1a"


def test_a_trial_has_the_scales_of_those_beside_it(drawn):
    other = CURVES | {"train_loss": [9, 8, 7]}
    save_curves("curves.png", "assignment", CURVES, [CURVES, other])
    save_curves("curves.png", "overfit", other, [CURVES, other])
    (loss, accuracy), (other_loss, other_accuracy) = (figure.axes for figure in drawn)
    assert lines(loss)["train"] == [(1, 0.7), (2, 0.5), (3, 0.4)]
    assert lines(other_loss)["train"] == [(1, 9), (2, 8), (3, 7)]
    assert loss.get_ylim() == other_loss.get_ylim() and accuracy.get_ylim() == other_accuracy.get_ylim()
    assert loss.get_ylim()[0] < 0.4 and loss.get_ylim()[1] > 9
    assert [figure.axes[0].get_title() for figure in drawn] == ["assignment", "overfit"]
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("cross entropy (nats)", "accuracy (%)")


def test_an_infinite_loss_is_left_out_of_the_curve_and_its_scale(drawn):
    curves = CURVES | {"test_loss": [NAN, float("inf"), 0.6]}
    save_curves("curves.png", "assignment", curves, [curves])
    assert lines(drawn[0].axes[0])["test"] == [(3, 0.6)]


def test_colours_differ_in_grey_and_no_two_lines_look_alike():
    def luminance(colour):
        channels = [int(colour[k:k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear))

    lightness = [116 * luminance(colour) ** (1 / 3) - 16 for colour in COLOURS]         # CIE L*, 0 to 100
    assert all(later - before > 10 for before, later in zip(lightness, lightness[1:]))
    assert len(set(zip(itertools.cycle(COLOURS), MARKERS * len(COLOURS)))) == 28


def test_the_epoch_that_was_kept_is_marked(drawn):
    save_curves("curves.png", "Part 1a", CURVES, kept=2)
    assert lines(drawn[0].axes[0])["kept"][0][0] == 2


def test_a_band_is_a_standard_deviation_over_seeds_to_either_side_of_the_mean(drawn):
    save_lengths_figure("lengths.png", "Parts", {"2a": {"50": [70.0, 74.0], "100": [80.0, 80.0]}, "2b": TABLE})
    [axis] = drawn[0].axes
    assert lines(axis)["2a"] == [(50, 72), (100, 80)]
    [band] = axis.collections                                       # of one seed there is none
    heights = {(x, round(y, 6)) for x, y in band.get_paths()[0].vertices}
    assert {(50, round(72 - 8 ** 0.5, 6)), (50, round(72 + 8 ** 0.5, 6)), (100, 80)} <= heights


def test_the_length_figure_shows_crops_and_whole_reviews(drawn):
    save_lengths_figure("test_table.png", "Part 2a", {"random crops": TABLE})
    [axis] = drawn[0].axes
    assert lines(axis)["random crops"] == [(50, 76), (100, 81.5)]
    assert "whole reviews" in lines(axis)
    assert [81, 81] in [list(line.get_ydata()) for line in axis.get_lines() if line.get_linestyle() == ":"]


def test_the_length_figure_shows_expected_accuracies_beside_ours(drawn):
    save_lengths_figure("lengths.png", "Parts", {"2a": TABLE, "2b": TABLE}, {"expected": {50: 78.94, 500: 91.19}})
    found = lines(drawn[0].axes[0])
    assert found["expected"] == [(50, 78.94), (500, 91.19)]
    assert found["2a"] == found["2b"] == [(50, 76), (100, 81.5)]


def test_epochs_are_whole_numbers(drawn):
    save_curves("curves.png", "Part 1a", {name: values[:2] for name, values in CURVES.items()})
    assert all(tick == int(tick) for tick in drawn[0].axes[0].get_xticks())


@pytest.mark.parametrize("name, content", [("MPLBACKEND", "a_notebooks"), ("MATPLOTLIBRC", b"\xff\xfe\0")])
def test_a_backend_or_style_that_matplotlib_cannot_read_is_refused_with_the_way_out(name, content, tmp_path):
    (tmp_path / "style").write_bytes(content if name == "MATPLOTLIBRC" else b"")
    value = str(tmp_path / "style") if name == "MATPLOTLIBRC" else content
    done = import_figures(**{name: value})
    assert done.returncode == 2 and "Traceback" not in done.stderr
    last_line = done.stderr.splitlines()[-1]
    assert last_line.startswith("error: matplotlib: cannot read MPLBACKEND or matplotlibrc (") and name in last_line


def test_the_backend_of_a_notebook_that_is_not_installed_costs_no_figure():
    assert import_figures(MPLBACKEND="module://a_notebook.that_is_not_installed").returncode == 0


def import_figures(**environment):
    """Import what draws figures as a script does, and draw one."""
    code = ("import io; from common.errors import run_script\n"
            "def main():\n import common.results.figures as f; f.Figure().savefig(io.BytesIO())\nrun_script(main)")
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ | environment, capture_output=True,
                          text=True)
