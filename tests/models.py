"""Each part's model beside the assignment's loop, with equal weights and inputs."""

import functools

import numpy as np
import pytest
import reference
import torch
from parts import TOLERANCE, load_script

BATCH, TIME, HIDDEN, VOCAB, IN_SIZE = 5, 7, 6, 20, 4
WORDS = {"vocab_size": VOCAB}
VECTORS = {"in_size": IN_SIZE}

# 2b reads vectors that are looked up, as in the assignment, or token ids to look up in its table ("2b words").
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
    "3c": functools.partial(reference.EmbeddingRNN, lstm_layers=3, dropout=(0.3,)),
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
    if "dropout" in options and variant in RNN_CLASSIFIERS:
        options = options | {"dropout": [options["dropout"]]}
    options = sizes | options | {"no_of_hidden_units": HIDDEN}
    ours, plain = model_class(part)(**options), REFERENCES[part](**options)
    randomise(plain)
    ours.load_state_dict(plain.state_dict())
    if part == "2b words":
        ours.table = torch.randn(VOCAB, IN_SIZE, generator=torch.Generator().manual_seed(0))
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
    return (ids,) if part == "3a" else (ids, labels)


def looked_up(model, inputs):
    """What the loop takes in place of token ids that our model looks up in a table: their vectors."""
    x, *labels = inputs
    return x if getattr(model, "table", None) is None else model.table[x], *labels


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
            mask = ours.get_submodule(name)(ones) != 0
            layer.mask = mask.float()
            layer.reset_state = lambda: None  # it would forget the mask
    torch.manual_seed(seed)
    return results, run(plain, looked_up(ours, inputs), **options)


def named_gradients(model):
    assert all(parameter.grad is not None for parameter in model.parameters())
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def parameter_names(*layers):
    linear = ["weight", "bias"]
    others = {
        "bn": [*linear, "running_mean", "running_var", "num_batches_tracked"],
        "lstm": [f"lstm.{kind}_{gate}h" for kind in linear for gate in "ih"],
        "embedding": ["weight"],
    }
    kinds = {layer: layer.split("_")[0].rstrip("123") for layer in layers}  # bn_lstm1: bn
    return {f"{layer}.{name}" for layer in layers for name in others.get(kinds[layer], linear)}


def assert_close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=TOLERANCE, atol=TOLERANCE)


def assert_equal_step(ours, plain, inputs, **options):
    results, expected = run_both(ours, plain, inputs, **options)
    assert_close(results, expected)
    assert_close(named_gradients(ours), named_gradients(plain))
    assert_close(dict(ours.state_dict()), dict(plain.state_dict()))
