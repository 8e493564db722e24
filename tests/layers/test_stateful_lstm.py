"""StatefulLSTM gives one answer for a timestep and for a whole sequence: that of the assignment's loop."""

import pytest
import reference
import torch
from sequences import BATCH, IN_SIZE, OUT_SIZE, TIME, assert_close, by_timestep, gradients, sequence
from torch import nn

from common.layers.stateful_lstm import StatefulLSTM, distinct_words

WORDS = 9


def stateful_lstm(layer=StatefulLSTM, device="cpu", out_size=OUT_SIZE):
    torch.manual_seed(0)
    return layer(IN_SIZE, out_size).to(device)


def words_at(device="cpu"):
    """(words, in_size) vectors that gradients flow to, and (BATCH, TIME) positions."""
    generator = torch.Generator().manual_seed(0)
    words = torch.randn(WORDS, IN_SIZE, generator=generator).to(device).requires_grad_()
    return words, torch.randint(WORDS, (BATCH, TIME), generator=generator).to(device)


@pytest.mark.parametrize("out_size", [OUT_SIZE, 200, 512])      # cuDNN takes another algorithm for each
def test_a_sequence_gives_what_the_loop_gives(out_size, device):
    ours, plain = (stateful_lstm(layer, device, out_size) for layer in (StatefulLSTM, reference.StatefulLSTM))
    x = sequence(device=device)
    output, expected = ours(x), by_timestep(plain, x)
    assert output.shape == (BATCH, TIME, out_size)
    assert_close(output, expected)
    assert_close((ours.h, ours.c), (plain.h, plain.c))
    assert_close(gradients(output, ours, x), gradients(expected, plain, x))


def test_one_timestep_after_the_other_gives_what_the_sequence_gives(device):
    ours, x = stateful_lstm(device=device), sequence(device=device)
    whole = ours(x)
    ours.reset_state()
    steps = by_timestep(ours, x)
    assert_close(steps, whole)
    assert_close(gradients(steps, ours, x), gradients(whole, ours, x))


@pytest.mark.parametrize("lengths", [[3, 4], [1, 5, 1], [6, 1]])
def test_the_state_is_carried_from_chunk_to_chunk(lengths, device):
    ours, x = stateful_lstm(device=device), sequence(device=device)
    whole = ours(x)
    final_state = ours.h, ours.c
    ours.reset_state()
    chunks = torch.cat([ours(chunk) for chunk in x.split(lengths, dim=1)], dim=1)
    assert_close(chunks, whole)
    assert_close((ours.h, ours.c), final_state)
    assert_close(gradients(chunks, ours, x), gradients(whole, ours, x))


def test_timesteps_and_sequences_can_follow_each_other(device):
    ours, x = stateful_lstm(device=device), sequence(device=device)
    whole = ours(x)
    ours.reset_state()
    parts = [ours(x[:, 0])[:, None], ours(x[:, 1:-1]), ours(x[:, -1])[:, None]]
    assert_close(torch.cat(parts, dim=1), whole)


@pytest.mark.parametrize("call", [lambda layer, x: layer(x), by_timestep], ids=["sequence", "timesteps"])
def test_without_gradients_the_output_is_the_same(call, device):
    ours, x = stateful_lstm(device=device), sequence(device=device)
    expected = ours(x).detach()
    state = ours.h.detach(), ours.c.detach()
    ours.reset_state()
    with torch.no_grad():
        assert_close(call(ours, x), expected)
    assert_close((ours.h, ours.c), state)


def test_without_gradients_the_weights_of_the_last_reset_are_read():
    ours, x = stateful_lstm(), sequence().detach()[:, 0]
    with torch.no_grad():
        ours(x)
        ours.lstm.bias_hh.add_(1)
    expected = ours.lstm(x)[0].detach()
    ours.reset_state()
    with torch.no_grad():
        assert_close(ours(x), expected)


@pytest.mark.parametrize("with_gradients", [True, False])
def test_timesteps_are_computed_in_the_precision_of_autocast(with_gradients):
    ours, x = stateful_lstm(), sequence()
    expected = by_timestep(ours, x)
    ours.reset_state()
    with torch.autocast("cpu", torch.bfloat16), torch.set_grad_enabled(with_gradients):
        output = by_timestep(ours, x)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), expected, rtol=0, atol=0.02)


def test_there_is_no_state_before_the_first_call_and_after_a_reset():
    ours = stateful_lstm()
    assert ours.h is None and ours.c is None
    ours(sequence())
    assert ours.h.shape == ours.c.shape == (BATCH, OUT_SIZE)
    ours.reset_state()
    assert ours.h is None and ours.c is None


def test_a_reset_forgets_the_sequence_before_it():
    ours, x = stateful_lstm(), sequence()
    first, carried = ours(x), ours(x)
    ours.reset_state()
    assert_close(ours(x), first)
    assert (carried - first).abs().max() > 1e-2


def test_after_a_reset_the_batch_may_have_another_size():
    ours, x = stateful_lstm(), sequence()
    whole = ours(x)
    ours.reset_state()
    assert_close(ours(x[:2]), whole[:2])


def test_the_parameters_are_those_of_one_cell():
    ours, cell = stateful_lstm(), nn.LSTMCell(IN_SIZE, OUT_SIZE)
    assert isinstance(ours.lstm, nn.LSTMCell)
    assert set(ours.state_dict()) == {f"lstm.{name}" for name in cell.state_dict()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_weights_fill_one_piece_of_memory_in_the_order_of_cudnn(dtype):
    ours = stateful_lstm()
    weights = ours.adjacent_weights(dtype)
    whole = weights[0].flatten().as_strided([sum(weight.numel() for weight in weights)], [1])
    cell = ours.lstm
    expected = [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
    assert whole.equal(torch.cat([weight.flatten().to(dtype) for weight in expected]))
    assert [weight.shape for weight in weights] == [weight.shape for weight in expected]


@pytest.mark.parametrize("with_gradients", [True, False])
def test_words_at_positions_give_what_the_loop_over_their_vectors_gives(with_gradients, device):
    ours, plain = stateful_lstm(device=device), stateful_lstm(reference.StatefulLSTM, device)
    words, positions = words_at(device)
    with torch.set_grad_enabled(with_gradients):
        output, expected = ours(words, positions), by_timestep(plain, words[positions])
    assert output.shape == (BATCH, TIME, OUT_SIZE)
    assert_close(output, expected)
    assert_close((ours.h, ours.c), (plain.h, plain.c))
    if with_gradients:
        assert_close(gradients(output, ours, words), gradients(expected, plain, words))


@pytest.mark.parametrize("lengths", [[TIME - 1, 1], [2, 1, TIME - 3]])
def test_gradients_flow_through_the_state_from_words_to_sequences_and_back(lengths, device):
    ours, (words, positions) = stateful_lstm(device=device), words_at(device)
    whole = ours(words[positions])
    final_state = ours.h, ours.c
    ours.reset_state()
    parts = [ours(words, part) if k % 2 else ours(words[part])
             for k, part in enumerate(positions.split(lengths, dim=1))]
    assert_close(torch.cat(parts, dim=1), whole)
    assert_close((ours.h, ours.c), final_state)
    assert_close(gradients(torch.cat(parts, dim=1), ours, words), gradients(whole, ours, words))


def test_gradients_of_the_final_state_reach_the_words(device):
    ours, plain = stateful_lstm(device=device), stateful_lstm(reference.StatefulLSTM, device)
    words, positions = words_at(device)
    ours(words, positions)
    by_timestep(plain, words[positions])
    assert_close(gradients(torch.cat([ours.h, ours.c]), ours, words),
                 gradients(torch.cat([plain.h, plain.c]), plain, words))


def test_words_at_positions_are_computed_in_the_precision_of_autocast():
    ours, (words, positions) = stateful_lstm(), words_at()
    expected = ours(words, positions)
    ours.reset_state()
    with torch.autocast("cpu", torch.bfloat16):
        output = ours(words, positions)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), expected, rtol=0, atol=0.02)
    for found, exact in zip(gradients(output, ours, words), gradients(expected, ours, words)):
        torch.testing.assert_close(found, exact, rtol=0.05, atol=0.05 * exact.abs().max().item())


def test_the_cell_state_and_the_gradients_of_a_frequent_word_add_up_in_float32_in_bfloat16_too():
    ours, word, positions = stateful_lstm(), torch.ones(1, IN_SIZE, requires_grad=True), torch.zeros(1, 2000).long()
    exact, = torch.autograd.grad(ours(word, positions).sum(), word)
    ours.reset_state()
    with torch.autocast("cpu", torch.bfloat16):
        output = ours(word, positions)
    assert ours.c.dtype == torch.float32
    found, = torch.autograd.grad(output.sum(), word)
    torch.testing.assert_close(found, exact, rtol=0, atol=0.02 * exact.abs().max().item())


def test_distinct_words_are_those_of_the_batch_each_once():
    token_ids = torch.tensor([[5, 2, 5], [0, 2, 2]])
    words, positions = distinct_words(token_ids)
    assert sorted(words.tolist()) == [0, 2, 5]
    assert torch.equal(words[positions], token_ids)


def test_a_gpu_looks_up_each_place_and_does_not_wait_for_the_number_of_words(cuda):
    token_ids = torch.zeros(2, 3, dtype=torch.long, device=cuda)
    torch.cuda.set_sync_debug_mode("error")
    try:
        words, positions = distinct_words(token_ids)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert words is token_ids and positions is None
