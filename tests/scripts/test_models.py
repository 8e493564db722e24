"""Each part's model equals the assignment's loop: loss, logits, gradients and running statistics."""

import inspect

import numpy as np
import pytest
import reference
import torch
from models import (
    BATCH, HIDDEN, RECURRENT, REFERENCES, RNN_CLASSIFIERS, TIME, VARIANTS, VECTORS, WORDS, assert_close,
    assert_equal_step, draw_inputs, each, looked_up, model_class, named_gradients, pair,
    parameter_names, run,
)
from common.data.batches import BagsOfWords
from common.data.reviews import build_reviews


# Against the loop


@pytest.mark.parametrize("options", [{"dropout": 0.0}, {}], ids=["no dropout", "dropout"])
@each(VARIANTS)
def test_training_step_equals_the_loop(variant, options, device):
    ours, plain = pair(variant, device, **options)
    assert_equal_step(ours, plain, draw_inputs(variant[0], 0, device))


@each(VARIANTS)
def test_evaluation_equals_the_loop(variant, device):
    ours, plain = (model.eval() for model in pair(variant, device))
    options = {"train": False} if variant in RECURRENT else {}
    assert_equal_step(ours, plain, draw_inputs(variant[0], 0, device), **options)


@torch.no_grad()
@each(VARIANTS)
def test_evaluation_without_gradients_equals_the_loop(variant, device):
    ours, plain = (model.eval() for model in pair(variant, device))
    inputs, options = draw_inputs(variant[0], 0, device), {"train": False} if variant in RECURRENT else {}
    assert_close(ours(*inputs, **options), plain(*looked_up(ours, inputs), **options))


@each(RECURRENT)
def test_train_governs_dropout_alone(variant):
    ours, plain = pair(variant)
    assert_equal_step(ours, plain, draw_inputs(variant[0], 0), train=False)
    assert_equal_step(ours.eval(), plain.eval(), draw_inputs(variant[0], 1), train=True)


@each(VARIANTS)
def test_adam_steps_with_dropout_equal_the_loops(variant, device):
    ours, plain = pair(variant, device)
    start = {name: value.clone() for name, value in ours.state_dict().items()}
    # A bias before batch normalisation has gradient 0 but for rounding, which a small eps would blow up.
    optimizers = [torch.optim.Adam(model.parameters(), lr=0.01, eps=1e-3) for model in (ours, plain)]
    for seed in range(3):
        assert_equal_step(ours, plain, draw_inputs(variant[0], seed, device), seed=seed)
        for optimizer in optimizers:
            optimizer.step()
    assert_close(dict(ours.state_dict()), dict(plain.state_dict()))
    weight = next(name for name in start if name.endswith("output.weight") or name.endswith("decoder.weight"))
    assert not torch.equal(ours.state_dict()[weight], start[weight])


# Names


@each(VARIANTS)
def test_state_dict_loads_in_both_directions(variant):
    ours, plain = pair(variant)
    randomised = {name: value.clone() for name, value in ours.state_dict().items()}
    fresh = REFERENCES[variant[0]](**variant[1], no_of_hidden_units=HIDDEN)
    fresh.load_state_dict(ours.state_dict())
    assert_close(dict(fresh.state_dict()), randomised)
    assert_close(dict(plain.state_dict()), randomised)


ASSIGNMENT_LAYERS = {
    "1a": ["embedding", "fc_hidden", "bn_hidden", "fc_output"],
    "1b": ["fc_hidden1", "bn_hidden1", "fc_output"],
    "2a": ["embedding", "lstm1", "bn_lstm1", "fc_output"],
    "2b": ["lstm1", "bn_lstm1", "fc_output"],
    "3a": ["embedding", "lstm1", "bn_lstm1", "lstm2", "bn_lstm2", "lstm3", "bn_lstm3", "decoder"],
    "3c": ["embedding", "lstm1", "bn_lstm1", "lstm2", "bn_lstm2", "lstm3", "bn_lstm3", "fc_output"],
}


@pytest.mark.parametrize("part", ASSIGNMENT_LAYERS)
def test_default_model_has_the_assignments_names(part):
    sizes = WORDS if "embedding" in ASSIGNMENT_LAYERS[part] else VECTORS
    model = model_class(part)(**sizes, no_of_hidden_units=HIDDEN)
    assert set(model.state_dict()) == parameter_names(*ASSIGNMENT_LAYERS[part])


@pytest.mark.parametrize("part", ASSIGNMENT_LAYERS)
def test_constructor_takes_the_assignments_arguments_first(part):
    expected = ["vocab_size"] if "embedding" in ASSIGNMENT_LAYERS[part] else []
    expected.append("no_of_hidden_units")
    assert list(inspect.signature(model_class(part)).parameters)[: len(expected)] == expected


@each(RECURRENT)
def test_the_layers_are_given_in_order(variant):
    ours, _ = pair(variant)
    names = {layer: name for name, layer in ours.named_modules()}
    expected = [(f"lstm{k}", f"bn_lstm{k}", f"dropout{k}") for k in range(1, ours.lstm_layers + 1)]
    assert [tuple(names[layer] for layer in layers) for layers in ours.layers] == expected


@each(RECURRENT)
def test_without_a_word_on_train_dropout_follows_the_mode(variant):
    ours = pair(variant)[0].eval()
    if variant[0] == "3a":
        pytest.skip("its train is the assignment's, which says whether there is a loss too")
    inputs = draw_inputs(variant[0], 0)
    assert_close(ours(*inputs), ours(*inputs, train=False))
    torch.manual_seed(0)
    expected = ours.train()(*inputs, train=True)
    torch.manual_seed(0)
    assert_close(ours(*inputs), expected)


@pytest.mark.parametrize("dropout, expected", [((0.5, 0.3), [0.5, 0.3, 0.3]), ((0.1,), [0.1, 0.1, 0.1])])
@pytest.mark.parametrize("part", ["2a", "2b", "3c"])
def test_the_last_dropout_given_is_that_of_all_further_layers(part, dropout, expected):
    sizes = VECTORS if part == "2b" else WORDS
    model = model_class(part)(**sizes, no_of_hidden_units=HIDDEN, lstm_layers=3, dropout=dropout)
    assert [layer.dropout for _, _, layer in model.layers] == expected


@each([variant for variant in VARIANTS if variant[0] != "3a"])
def test_logits_are_float32_numbers_at_any_precision(variant):
    ours = pair(variant)[0].eval()
    inputs = draw_inputs(variant[0], 0)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        _, logit = ours(*inputs)
    assert logit.dtype == torch.float32
    assert not torch.equal(logit, logit.bfloat16().float())


# State and masks


@each(RECURRENT)
def test_forward_starts_from_a_reset_state(variant):
    ours = pair(variant)[0].eval()
    inputs = draw_inputs(variant[0], 0)
    logits = run(ours, inputs, train=False)[1]
    run(ours, draw_inputs(variant[0], 1, batch=3), train=False)
    assert_close(run(ours, inputs, train=False)[1], logits)


@each(RECURRENT)
def test_each_layer_draws_its_mask_anew_in_each_forward(variant):
    torch.manual_seed(0)
    ours, plain = pair(variant)
    ones = torch.ones(BATCH, HIDDEN)
    names = [name for name, layer in plain.named_modules() if isinstance(layer, reference.LockedDropout)]
    masks = []
    for _ in range(2):
        run(ours, draw_inputs(variant[0], 0))
        masks += [ours.get_submodule(name)(ones) != 0 for name in names]
    assert len({mask.numpy().tobytes() for mask in masks}) == 2 * len(names)


# Bag of words


def test_1a_takes_bags_of_distinct_words_as_well_as_a_list(device):
    from_list, from_bag = (pair(("1a", WORDS), device)[0] for _ in range(2))
    reviews, labels = draw_inputs("1a", 0, device)
    data = BagsOfWords(build_reviews(np.concatenate(reviews).astype(np.int32), np.array([len(x) for x in reviews]),
                                     labels.tolist(), [""] * len(reviews), device))
    torch.manual_seed(0)
    expected = run(from_list, (reviews, labels))
    torch.manual_seed(0)
    assert_close(run(from_bag, (data.batch(torch.arange(len(reviews))).x, labels)), expected)
    assert_close(named_gradients(from_bag), named_gradients(from_list))


def test_1a_takes_plain_lists_of_ids():
    ours = pair(("1a", WORDS))[0].eval()
    reviews, labels = draw_inputs("1a", 0)
    assert_close(ours([review.tolist() for review in reviews], labels), ours(reviews, labels))


# Lengths


@each(RNN_CLASSIFIERS)
def test_padding_does_not_change_a_logit_when_lengths_are_given(variant):
    ours, plain = (model.eval() for model in pair(variant))
    inputs = draw_inputs(variant[0], 0)
    lengths = torch.tensor([4, TIME, 1, 5, 2])
    logits = ours(*inputs, train=False, lengths=lengths)[1]
    x, labels = looked_up(ours, inputs)
    alone = [plain(x[[i], :n], labels[[i]], train=False)[1] for i, n in enumerate(lengths)]
    assert_close(logits, torch.cat(alone))


@pytest.mark.parametrize("length", [TIME, TIME + 3], ids=["whole", "cropped"])
@each(RNN_CLASSIFIERS)
def test_lengths_without_padding_train_as_no_lengths(variant, length):
    with_lengths, without = (pair(variant, dropout=0.0)[0] for _ in range(2))
    inputs = draw_inputs(variant[0], 0)
    lengths = torch.full((BATCH,), length)
    assert_close(run(with_lengths, inputs, lengths=lengths), run(without, inputs))
    assert_close(named_gradients(with_lengths), named_gradients(without))
