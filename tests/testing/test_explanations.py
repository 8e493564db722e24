"""What each word adds to a logit, and how it is shown."""

import re

import pytest
import torch
from random_models import UNITS, build
from torch import nn

from common.data.batches import Batch
from common.testing.explanations import as_text, mean_contributions, timestep_contributions, write_page


def predict_lstm(network, batch):
    return network(batch.tokens, batch.labels, train=False, lengths=batch.lengths)


def make_batch(rows, lengths):
    return Batch(torch.tensor(rows), torch.zeros(len(rows)), torch.tensor(lengths))


@pytest.mark.parametrize("pooling", ["max", "mean", "concat"])
@pytest.mark.parametrize("lstm_layers", [1, 2])
def test_timesteps_contributions_and_the_bias_sum_to_the_logit(pooling, lstm_layers):
    network = build("2a", pooling=pooling, lstm_layers=lstm_layers)[1]
    batch = make_batch([[1, 2, 3, 4], [5, 6, 0, 0], [7, 0, 0, 0]], [4, 2, 1])
    with torch.no_grad():
        found = timestep_contributions(network, predict_lstm, batch)
        _, logit = predict_lstm(network, batch)
        torch.testing.assert_close(found.sum(dim=1) + network.fc_output.bias, logit)
    assert found[1, 2:].tolist() == [0, 0] and found[2, 1:].tolist() == [0, 0, 0]


def test_max_pooling_counts_each_hidden_unit_at_the_timestep_that_wins_it():
    network, batch = build("2a")[1], make_batch([[1, 2, 3, 4, 5]], [5])
    with torch.no_grad():
        [found] = timestep_contributions(network, predict_lstm, batch)
        network.reset_state()
        [h] = network.bn_lstm1(network.lstm1(network.embedding(batch.tokens)))  # time, hidden units
        expected = torch.zeros(5)
        for unit in range(UNITS):
            winner = max(range(5), key=lambda timestep: h[timestep, unit])
            expected[winner] += network.fc_output.weight[0, unit] * h[winner, unit]
    torch.testing.assert_close(found, expected)


def predict_bag(network, means):
    return network(means, torch.zeros(len(means)))


@pytest.mark.parametrize("hidden_layers", [1, 3])
def test_a_words_contribution_is_the_slope_of_the_logit_as_the_word_fades(hidden_layers):
    network = build("1b", hidden_layers=hidden_layers)[1]
    vectors = torch.randn(6, UNITS, generator=torch.Generator().manual_seed(3))
    counted = torch.tensor([True, True, False, True, True, True])

    def mean(vectors):
        return vectors[counted].mean(dim=0, keepdim=True)

    [found] = mean_contributions(network, predict_bag, mean(vectors), vectors[None], counted[None])
    step = 1e-3
    for token in range(6):
        faded = vectors.clone()
        faded[token] *= 1 - step
        with torch.no_grad():
            slope = (predict_bag(network, mean(vectors))[1] - predict_bag(network, mean(faded))[1]) / step
        assert found[token].item() == pytest.approx(slope.item(), abs=5e-3)
    assert found[2] == 0 and found[0] != 0


def test_a_network_without_relus_has_the_exact_contributions():
    """The logit of a linear network is its bias and each word's own logit, in equal parts."""
    network, vectors = nn.Linear(UNITS, 1), torch.randn(2, 4, UNITS)
    counted = torch.tensor([[True] * 4, [True, True, False, False]])
    means = torch.stack([vectors[0].mean(dim=0), vectors[1, :2].mean(dim=0)])
    found = mean_contributions(network, lambda network, means: (None, network(means)[:, 0]), means, vectors, counted)
    own = (vectors @ network.weight[0]).detach()                                # batch, time
    torch.testing.assert_close(found, torch.stack([own[0] / 4, own[1] / 2 * counted[1]]))


def test_words_are_followed_by_what_they_add_if_it_is_anything():
    assert as_text(["a", "great", "film", "?"], [0.0, 2.314, -0.2, 0.004], False) == "a great(+2.31) film(-0.20) ?"


def test_words_are_coloured_by_sign_and_size():
    text = as_text(["a", "great", "film", "bad"], [0.01, 3.0, 1.5, -2.9], True)
    assert text == "a \033[30;48;5;111mgreat\033[0m \033[30;48;5;153mfilm\033[0m \033[30;48;5;209mbad\033[0m"


@pytest.mark.parametrize("coloured", [True, False])
def test_words_that_add_nothing_stay_plain(coloured):
    assert as_text(["a", "film"], [0.0, 0.0], coloured) == "a film"


def test_the_page_shows_words_as_they_are_and_needs_no_other_file(tmp_path):
    write_page(tmp_path / "page.html", "Part 1 & 2", [("0.9, film <i>", ["<b>", "\u00e9t\u00e9"], [1.0, -0.2])])
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert '<span class="positive3" title="+1.0000">&lt;b&gt;</span>' in page
    assert '<span class="negative1" title="-0.2000">\u00e9t\u00e9</span>' in page
    assert "<title>Part 1 &amp; 2</title>" in page and "<h2>0.9, film &lt;i&gt;</h2>" in page
    assert not re.search(r"\b(src|href|url|@import)\b", page)
