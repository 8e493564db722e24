"""An LSTM layer reads words that are not looked up yet as it reads their vectors."""

import pytest
import reference
import torch
from sequences import BATCH, IN_SIZE, OUT_SIZE, TIME, assert_close, by_timestep, gradients
from torch import nn

from common.layers.stateful_lstm import StatefulLSTM
from common.layers.word_vectors import WordEmbedding, WordVectors

WORDS = 9


def draw_words(device="cpu"):
    torch.manual_seed(0)
    table = torch.randn(WORDS, IN_SIZE, device=device, requires_grad=True)
    return WordVectors(table, torch.randint(WORDS, (BATCH, TIME), device=device))


def stateful_lstm(layer=StatefulLSTM, device="cpu"):
    torch.manual_seed(0)
    return layer(IN_SIZE, OUT_SIZE).to(device)


def test_an_embedding_gives_the_vectors_that_torchs_looks_up(device):
    ours, plain = WordEmbedding(WORDS, IN_SIZE).to(device), nn.Embedding(WORDS, IN_SIZE).to(device)
    ours.load_state_dict(plain.state_dict())
    token_ids = draw_words(device).token_ids
    assert torch.equal(ours(token_ids).look_up(), plain(token_ids))


@pytest.mark.parametrize("with_gradients", [True, False])
def test_words_give_what_the_loop_over_their_vectors_gives(with_gradients, device):
    ours, plain = stateful_lstm(device=device), stateful_lstm(reference.StatefulLSTM, device)
    x = draw_words(device)
    with torch.set_grad_enabled(with_gradients):
        output, expected = ours(x), by_timestep(plain, x.look_up())
    assert output.shape == (BATCH, TIME, OUT_SIZE)
    assert_close(output, expected)
    assert_close((ours.h, ours.c), (plain.h, plain.c))
    if with_gradients:
        assert_close(gradients(output, ours, x.table), gradients(expected, plain, x.table))


@torch.no_grad()
def test_the_state_is_carried_from_words_to_words(device):
    ours, x = stateful_lstm(device=device), draw_words(device)
    whole = ours(x)
    ours.reset_state()
    parts = [ours(WordVectors(x.table, part)) for part in x.token_ids.split([3, 1, TIME - 4], dim=1)]
    assert_close(torch.cat(parts, dim=1), whole)


@torch.no_grad()
def test_words_are_computed_in_the_precision_of_autocast():
    ours, x = stateful_lstm(), draw_words()
    expected = ours(x.look_up())
    ours.reset_state()
    with torch.autocast("cpu", torch.bfloat16):
        output = ours(x)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), expected, rtol=0, atol=0.02)


def test_words_are_multiplied_once_on_a_cpu_without_gradients(device):
    x = draw_words(device)
    assert not x.multiply_once()
    with torch.no_grad():
        assert x.multiply_once() == (device == "cpu")


def test_without_gradients_the_cell_state_is_float32_in_bfloat16_too():
    layer = StatefulLSTM(4, 6)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        layer(WordVectors(torch.randn(9, 4), torch.randint(0, 9, (2, 5))))
    assert layer.c.dtype == torch.float32


def test_an_embedding_starts_from_vectors_standardised_by_dimension():
    embedding, vectors = WordEmbedding(WORDS, IN_SIZE), 3 + 5 * torch.randn(WORDS, IN_SIZE)
    vectors[0], vectors[1, 0] = 0, 0                                            # a word without one, and a number
    embedding.start_from(vectors)
    known = vectors[1:]
    assert_close(embedding.weight[1:], (known - known.mean(dim=0)) / known.std(dim=0, correction=0))


@pytest.mark.parametrize("width", [IN_SIZE - 2, IN_SIZE + 2])
def test_an_embedding_keeps_its_own_weights_where_there_are_no_vectors(width):
    embedding, vectors = WordEmbedding(WORDS, width), torch.randn(WORDS, IN_SIZE)
    vectors[[0, 3]] = 0
    before = embedding.weight.clone()
    embedding.start_from(vectors)
    changed = embedding.weight != before
    expected = torch.zeros(WORDS, width, dtype=torch.bool)
    expected[:, :IN_SIZE] = True
    expected[[0, 3]] = False
    assert torch.equal(changed, expected)


def test_an_embedding_that_starts_from_one_vector_stays_finite():
    embedding, vectors = WordEmbedding(WORDS, IN_SIZE), torch.zeros(WORDS, IN_SIZE)
    vectors[2] = 1
    embedding.start_from(vectors)
    assert embedding.weight.isfinite().all()
