"""Tables, figures, and the one table of all parts."""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

from common import reports
from common.errors import UserError, run_script
from common.reports import read_table, save_curves, save_length_figure, save_table, summarise

NAN = float("nan")
CURVES = {"train_loss": [0.7, 0.5, 0.4], "train_accuracy": [0.5, 0.7, 0.8],
          "validation_loss": [NAN] * 3, "validation_accuracy": [NAN] * 3,
          "test_loss": [NAN, 0.6, NAN], "test_accuracy": [NAN, 0.65, NAN]}
ROWS = [{"sequence length": length, "test accuracy": accuracy, "test loss": "0.5000"}
        for length, accuracy in ((50, "76.00"), (100, "81.50"), (150, "80.00"), ("whole", "81.00"))]


@pytest.fixture
def figures(monkeypatch):
    """The figures that would be written."""
    drawn = []
    monkeypatch.setattr(reports, "save_figure", lambda path, figure: drawn.append(figure))
    yield drawn
    plt.close("all")


def lines(axis):
    """Points of each line by its name in the legend."""
    return {line.get_label(): list(zip(*np.array(line.get_data()).tolist())) for line in axis.get_lines()}


def test_a_table_is_read_as_it_was_written(tmp_path):
    save_table(tmp_path / "table.csv", ROWS)
    assert read_table(tmp_path / "table.csv") == [{name: str(value) for name, value in row.items()} for row in ROWS]
    content = (tmp_path / "table.csv").read_bytes()
    assert content.startswith(b"sequence length,test accuracy,test loss\n50,76.00,0.5000\n")


@pytest.mark.parametrize("draw", [lambda path: save_curves(path, "Part 1a", CURVES),
                                  lambda path: save_length_figure(path, "Part 2a", ROWS)], ids=["curves", "lengths"])
def test_a_figure_is_a_png_file_and_is_closed(draw, tmp_path):
    draw(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert plt.imread(tmp_path / "figure.png").std() > 0
    assert not plt.get_fignums()


def test_curves_show_the_epochs_that_have_a_value(figures):
    save_curves("curves.png", "Part 1a", CURVES)
    loss, accuracy = figures[0].axes
    assert lines(loss) == {"train": [(1, 0.7), (2, 0.5), (3, 0.4)], "test": [(2, 0.6)]}
    assert lines(accuracy) == {"train": [(1, 50), (2, 70), (3, 80)], "test": [(2, 65)]}
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("cross entropy (nats)", "accuracy (%)")
    assert figures[0].get_suptitle() == "Part 1a"


def test_the_length_figure_shows_crops_and_whole_reviews(figures):
    save_length_figure("test_table.png", "Part 2a", ROWS)
    [axis] = figures[0].axes
    assert lines(axis) == {"random crops": [(50, 76), (100, 81.5), (150, 80)], "whole reviews": [(0, 81), (1, 81)]}


def save_results(folder):
    tables = {"1a": [{"test accuracy": "87.12", "test loss": "0.3000"}], "2a": ROWS,
              "2b": [ROWS[0], dict(ROWS[3], **{"test accuracy": "90.00"})],
              "3a": [{"test loss": "4.0000", "perplexity": "54.60", "next-word accuracy": "25.00"}]}
    for part, rows in tables.items():
        save_table(folder / part / "test_table.csv", rows)


def test_the_summary_has_a_line_for_each_part_with_results(tmp_path):
    save_results(tmp_path)
    found = {line[:2]: line[6:58].strip() for line in summarise(tmp_path).splitlines()[2:]}
    assert found == {"1a": "87.12", "2a": "76.00 at 50, 81.00 whole", "2b": "76.00 at 50, 90.00 whole",
                     "3a": "perplexity 54.6"}


def test_the_summary_gives_the_assignments_figures_beside_them(tmp_path):
    save_results(tmp_path)
    for line in summarise(tmp_path).splitlines()[2:]:
        assert line[60:] == reports.ASSIGNMENT[line[:2]]


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path}: no test tables of any part in it; run"):
        summarise(tmp_path)


def test_the_summary_is_a_command(tmp_path, monkeypatch, capsys):
    save_results(tmp_path)
    monkeypatch.setattr(sys, "argv", ["reports", str(tmp_path)])
    run_script(reports.main)
    assert capsys.readouterr().out == summarise(tmp_path) + "\n"
