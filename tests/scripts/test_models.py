"""Each part's model equals the assignment's loop: loss, logits, gradients and running statistics."""

import functools
import inspect
import subprocess
import sys

import numpy as np
import pytest
import reference
import torch
import torch.nn.functional as F
from parts import ROOT, TEST_SCRIPTS, TRAINING_SCRIPTS, load_script

from common.data.batches import BagsOfWords
from common.data.reviews import build_reviews
from common.layers.word_vectors import WordVectors

BATCH, TIME, HIDDEN, VOCAB, IN_SIZE = 5, 7, 6, 20, 4
WORDS = {"vocab_size": VOCAB}
VECTORS = {"in_size": IN_SIZE}

# 2b reads vectors that are looked up, as in the assignment, or the words and their table ("2b words").
MODEL_NAMES = {part: "RNN_model" for part in ("2a", "2b", "2b words", "3c")} | {
    "1a": "BOW_model",
    "1b": "BOW_model",
    "3a": "RNN_language_model",
}
REFERENCES = {
    "1a": reference.EmbeddingBOW,
    "1b": reference.GloveBOW,
    "2a": reference.EmbeddingRNN,
    "2b": reference.GloveRNN,
    "2b words": reference.GloveRNN,
    "3a": reference.LanguageModel,
    "3c": functools.partial(reference.EmbeddingRNN, lstm_layers=3),
}
VARIANTS = [
    ("1a", WORDS),
    ("1a", WORDS | {"hidden_layers": 3}),
    ("1b", VECTORS),
    ("1b", VECTORS | {"hidden_layers": 3}),
    ("2a", WORDS),
    ("2a", WORDS | {"lstm_layers": 2}),
    ("2a", WORDS | {"pooling": "mean"}),
    ("2a", WORDS | {"pooling": "concat"}),
    ("2b", VECTORS),
    ("2b", VECTORS | {"lstm_layers": 2, "pooling": "mean"}),
    ("2b", VECTORS | {"pooling": "concat"}),
    ("2b words", VECTORS),
    ("2b words", VECTORS | {"lstm_layers": 2, "pooling": "mean"}),
    ("3a", WORDS),
    ("3a", WORDS | {"lstm_layers": 1}),
    ("3c", WORDS),
    ("3c", WORDS | {"pooling": "mean"}),
    ("3c", WORDS | {"pooling": "concat"}),
]
RNN_CLASSIFIERS = [variant for variant in VARIANTS if MODEL_NAMES[variant[0]] == "RNN_model"]
RECURRENT = RNN_CLASSIFIERS + [variant for variant in VARIANTS if variant[0] == "3a"]


def variant_id(variant):
    part, options = variant
    return "-".join([part, *(str(value) for key, value in options.items() if key not in WORDS | VECTORS)])


def each(variants):
    return pytest.mark.parametrize("variant", variants, ids=variant_id)


def model_class(part):
    name = MODEL_NAMES[part]
    return getattr(load_script(part.removesuffix(" words"), f"{name}.py"), name)


def randomise(model):
    """Values far from the initial ones, which would hide an unused weight or statistic."""
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5, generator=generator)
        elif value.is_floating_point():
            value.uniform_(-1, 1, generator=generator)


def pair(variant, device="cpu", **options):
    """Our model and the loop, with equal weights and statistics."""
    part, sizes = variant
    options = sizes | options | {"no_of_hidden_units": HIDDEN}
    ours, plain = model_class(part)(**options), REFERENCES[part](**options)
    randomise(plain)
    ours.load_state_dict(plain.state_dict())
    return ours.to(device), plain.to(device)


def draw_inputs(part, seed, device="cpu", batch=BATCH):
    """What the part's model is called with: reviews, of which some end in padding, and labels."""
    random = np.random.default_rng(seed)
    labels = torch.arange(batch).remainder(2).float().to(device)
    if part == "1a":
        return [random.integers(0, VOCAB, length) for length in 1 + np.arange(batch) * 2], labels
    if part == "1b":
        return torch.from_numpy(random.normal(size=(batch, IN_SIZE))).float().to(device), labels
    if part == "2b":
        return torch.from_numpy(random.normal(size=(batch, TIME, IN_SIZE))).float().to(device), labels
    ids = random.integers(0, VOCAB, (batch, TIME))
    ids[0, 4:] = 0
    ids = torch.from_numpy(ids).to(device)
    if part == "2b words":
        return WordVectors(torch.from_numpy(random.normal(size=(VOCAB, IN_SIZE))).float().to(device), ids), labels
    return (ids,) if part == "3a" else (ids, labels)


def looked_up(inputs):
    """What the loop takes in place of words and their table: their vectors."""
    x, *labels = inputs
    return x.look_up() if isinstance(x, WordVectors) else x, *labels


def run(model, inputs, **options):
    """Forward and backward: (loss, logits). Logits alone are squared for something to differentiate."""
    model.zero_grad()
    result = model(*inputs, **options)
    loss, logits = result if isinstance(result, tuple) else (result.square().mean(), result)
    loss.backward()
    return loss, logits


def run_both(ours, plain, inputs, seed=0, **options):
    """Run ours, then the loop with the dropout masks that ours drew."""
    torch.manual_seed(seed)
    results = run(ours, inputs, **options)
    for name, layer in plain.named_modules():
        if isinstance(layer, reference.LockedDropout):
            ones = torch.ones(BATCH, HIDDEN, device=results[0].device)
            mask = ours.get_submodule(name)(ones, dropout=plain.dropout) != 0
            layer.mask = mask.float()
            layer.reset_state = lambda: None  # it would forget the mask
    torch.manual_seed(seed)
    return results, run(plain, looked_up(inputs), **options)


def named_gradients(model):
    assert all(parameter.grad is not None for parameter in model.parameters())
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def assert_close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def assert_equal_step(ours, plain, inputs, **options):
    results, expected = run_both(ours, plain, inputs, **options)
    assert_close(results, expected)
    assert_close(named_gradients(ours), named_gradients(plain))
    assert_close(dict(ours.state_dict()), dict(plain.state_dict()))


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
    assert_close(ours(*inputs, **options), plain(*looked_up(inputs), **options))


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


def parameter_names(*layers):
    linear = ["weight", "bias"]
    others = {
        "bn": [*linear, "running_mean", "running_var", "num_batches_tracked"],
        "lstm": [f"lstm.{kind}_{gate}h" for kind in linear for gate in "ih"],
        "embedding": ["weight"],
    }
    kinds = {layer: layer.split("_")[0].rstrip("123") for layer in layers}  # bn_lstm1: bn
    return {f"{layer}.{name}" for layer in layers for name in others.get(kinds[layer], linear)}


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


@pytest.mark.parametrize("kind, scripts", [("train", TRAINING_SCRIPTS), ("test", TEST_SCRIPTS)])
def test_the_scripts_of_a_part_can_be_asked_for(kind, scripts):
    for part, script in scripts.items():
        assert (ROOT / script).is_file()
    done = subprocess.run([sys.executable, "-m", "common.parts", kind, "2a"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, scripts["2a"] + "\n")


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
    assert_close(run(from_bag, (data.batch(torch.arange(len(reviews))).bag, labels)), expected)
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
    x, labels = looked_up(inputs)
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


# Language model


def test_3a_scores_the_next_token_of_all_but_the_last():
    ours = pair(("3a", WORDS), dropout=0.0)[0]
    (x,) = draw_inputs("3a", 0)
    loss, logits = ours(x)
    assert logits.shape == (BATCH, VOCAB, TIME - 1)
    assert_close(loss, F.cross_entropy(logits.transpose(1, 2).reshape(-1, VOCAB), x[:, 1:].flatten()))


def adaptive_3a():
    model = model_class("3a")(**WORDS, no_of_hidden_units=HIDDEN, dropout=0.0, cutoffs=[5, 11])
    randomise(model)
    return model


def test_3a_with_an_adaptive_softmax_scores_its_own_logits():
    ours = adaptive_3a()
    (x,) = draw_inputs("3a", 0)
    mean_loss, logits = run(ours, (x,))
    gradients = {name: gradient.clone() for name, gradient in named_gradients(ours).items()}
    ours.zero_grad()
    loss, correct, targets = ours(x, keep_logits=False)
    (loss / targets).backward()
    assert_close(loss / targets, mean_loss)
    assert_close(mean_loss, F.cross_entropy(logits.transpose(1, 2).reshape(-1, VOCAB), x[:, 1:].flatten()))
    assert correct == (logits.argmax(dim=1) == x[:, 1:]).sum()
    assert_close(named_gradients(ours), gradients)


def test_3a_gives_the_logits_alone_when_not_training():
    ours = pair(("3a", WORDS))[0]
    logits = ours(*draw_inputs("3a", 0), train=False)
    assert logits.shape == (BATCH, VOCAB, TIME - 1)


def test_3a_a_token_at_a_time_equals_the_whole_sequence():
    ours, plain = (model.eval() for model in pair(("3a", WORDS)))
    (x,) = draw_inputs("3a", 0)
    ours.reset_state()
    logits = [ours.next_word_logits(x[:, :3])]
    logits += [ours.next_word_logits(ids) for ids in x[:, 3:-1].split(1, dim=1)]
    assert_close(torch.cat(logits, dim=1).transpose(1, 2), plain(x, train=False))


def test_3a_without_logits_to_keep_sums_the_loss_and_counts_the_correct_words():
    ours, plain = (model.eval() for model in pair(("3a", WORDS), dropout=0.0))
    (x,) = draw_inputs("3a", 0)
    mean_loss, logits = run(plain, (x,))
    loss, correct, targets = ours(x, keep_logits=False)
    (loss / targets).backward()
    assert targets == BATCH * (TIME - 1)
    assert_close(loss / targets, mean_loss)
    assert correct == (logits.argmax(dim=1) == x[:, 1:]).sum()
    assert_close(named_gradients(ours), named_gradients(plain))


def test_3a_score_leaves_out_what_lies_beyond_a_reviews_length():
    ours = pair(("3a", WORDS))[0].eval()
    (x,) = draw_inputs("3a", 0)
    lengths = torch.tensor([4, TIME, 2, 5, 1])
    scores = ours.score(x, lengths, train=False)
    alone = [ours.score(x[[i], :n], train=False) for i, n in enumerate(lengths[:4])]  # the last has no target
    assert scores[2] == (lengths - 1).sum()
    for score, parts in zip(scores, zip(*alone)):
        assert_close(score, sum(parts))


# Fine-tuning


@pytest.mark.parametrize("adaptive", [False, True], ids=["linear decoder", "adaptive softmax"])
def test_3c_takes_all_but_the_decoder_of_a_language_model(adaptive):
    ours = model_class("3c")(**WORDS, no_of_hidden_units=HIDDEN)
    output = ours.fc_output.weight.clone()
    language_model = (adaptive_3a() if adaptive else pair(("3a", WORDS))[1]).state_dict()
    ours.load_language_model(language_model)
    taken = ours.state_dict().keys() & language_model.keys()
    assert ours.state_dict().keys() - taken == {"fc_output.weight", "fc_output.bias"}
    assert all(name.startswith("decoder.") for name in language_model.keys() - taken)
    assert all(torch.equal(ours.state_dict()[name], language_model[name]) for name in taken)
    assert torch.equal(ours.fc_output.weight, output)


def test_3c_begins_words_that_the_language_model_does_not_know_as_its_unknown_token():
    ours = model_class("3c")(VOCAB + 3, HIDDEN)
    known = pair(("3a", WORDS))[1].state_dict()
    ours.load_language_model(known)
    vectors = ours.embedding.weight
    assert torch.equal(vectors[:VOCAB], known["embedding.weight"])
    assert torch.equal(vectors[VOCAB:], known["embedding.weight"][:1].expand(3, -1))


LSTM_LAYERS = [["lstm1", "bn_lstm1"], ["lstm2", "bn_lstm2"], ["lstm3", "bn_lstm3", "fc_output"]]


@pytest.mark.parametrize("fine_tune, layers", [
    ("last", LSTM_LAYERS[-1:]), ("lstm", LSTM_LAYERS), ("all", [["embedding"], *LSTM_LAYERS])])
def test_3c_trains_the_layers_that_fine_tune_names_and_the_output(fine_tune, layers):
    ours = model_class("3c")(**WORDS, no_of_hidden_units=HIDDEN)
    names = {id(parameter): name for name, parameter in ours.named_parameters()}
    found = [{names[id(parameter)] for parameter in layer.parameters()} for layer in ours.layers_to_train(fine_tune)]
    assert found == [parameter_names(*layer) & set(names.values()) for layer in layers]
