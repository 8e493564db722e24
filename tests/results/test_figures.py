"""Figures show what is in the tables, with axes that say what they are."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from common.results import figures
from common.results.figures import save_curves, save_lengths_figure, save_perplexity_figure, save_trials_figure

NAN = float("nan")
CURVES = {"train_loss": [0.7, 0.5, 0.4], "train_accuracy": [0.5, 0.7, 0.8],
          "validation_loss": [NAN] * 3, "validation_accuracy": [NAN] * 3,
          "test_loss": [NAN, 0.6, NAN], "test_accuracy": [NAN, 0.65, NAN]}
TABLE = {"50": 76.0, "100": 81.5, "whole": 81.0}


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
    lambda path: save_trials_figure(path, "Part 1a", {"assignment": CURVES, "overfit": CURVES}),
    lambda path: save_lengths_figure(path, "Part 2a", {"random crops": TABLE}),
    lambda path: save_perplexity_figure(path, {"": CURVES})], ids=["curves", "trials", "lengths", "perplexity"])
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
    assert drawn[0].get_suptitle() == "Part 1a"


def test_trials_stand_side_by_side_on_the_same_scale(drawn):
    save_trials_figure("curves.png", "Part 1a", {"assignment": CURVES, "overfit": CURVES | {"train_loss": [9, 8, 7]}})
    loss, other_loss, accuracy, _ = drawn[0].axes
    assert [axis.get_title() for axis in (loss, other_loss)] == ["assignment", "overfit"]
    assert lines(loss)["train"] == [(1, 0.7), (2, 0.5), (3, 0.4)]
    assert lines(other_loss)["train"] == [(1, 9), (2, 8), (3, 7)]
    assert loss.get_ylim() == other_loss.get_ylim()
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("cross entropy (nats)", "accuracy (%)")


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


def test_perplexity_is_the_exponential_of_the_loss(drawn):
    save_perplexity_figure("perplexity.png", {"": CURVES})
    found = lines(drawn[0].axes[0])
    np.testing.assert_allclose(found["train"], [(1, np.exp(0.7)), (2, np.exp(0.5)), (3, np.exp(0.4))])
    np.testing.assert_allclose(found["test"], [(2, np.exp(0.6))])


def test_epochs_are_whole_numbers(drawn):
    save_curves("curves.png", "Part 1a", {name: values[:2] for name, values in CURVES.items()})
    assert all(tick == int(tick) for tick in drawn[0].axes[0].get_xticks())


def test_the_legend_of_trials_names_the_curves_of_all(drawn):
    validated = CURVES | {"validation_loss": [0.7, 0.6, 0.5], "validation_accuracy": [0.6, 0.7, 0.8]}
    save_trials_figure("trials.png", "Part 2a", {"assignment": CURVES, "SentimentRNN": validated})
    legend = drawn[0].axes[0].get_legend()
    assert {text.get_text() for text in legend.get_texts()} == {"train", "validation", "test"}
