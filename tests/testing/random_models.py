"""Models of all parts with random weights, as training would leave them in a folder, and what they say of a review."""

import torch
from parts import MODELS, TEST_SCRIPTS, load_script

from common.checkpoints import write_checkpoint
from common.checksums import checksum
from common.layers.ensemble import Ensemble

WORDS = ["the", "film", "was", "great", "bad", ".", "n't", "<b>"]
UNITS = 5
OTHERS = "2a/other_networks"
SCRIPTS = TEST_SCRIPTS | {OTHERS: f"{OTHERS}/test.py"}
NGRAM_WEIGHT = 0.6
TRAINED_WITH = dict(crop="last", validation=0.0, seed=0, drop_duplicates=False)
# Each part's model, the course's other networks, and a bag of words and an LSTM with n-grams.
KINDS = [(part, {}) for part in TEST_SCRIPTS] + [
    (OTHERS, {"model": "SentimentRNN"}), (OTHERS, {"model": "SentimentClassifier"})] + [
    (part, {"ngrams": 2}) for part in ("1a", "2b")]


def uses_glove(part):
    return part in ("1b", "2b")


def build(part, ngrams=0, **arguments):
    """(model, its network, the network's arguments), with random weights and running statistics."""
    torch.manual_seed(1)
    own = {"in_size": UNITS} if uses_glove(part) else {"vocab_size": len(WORDS) + 1}
    own |= {"pooling": "max"} if part in ("2a", "2b", "3c") else {}
    arguments = own | {"no_of_hidden_units": UNITS} | arguments
    if part == OTHERS:
        make = load_script(OTHERS, "train.py").build_network
    else:
        name = "BOW_model" if part[0] == "1" else "RNN_model"
        make = getattr(load_script(part, f"{name}.py"), name)
    network = make(**arguments)
    model = Ensemble(network, None, ngrams, NGRAM_WEIGHT) if ngrams else network
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) + 0.5 if "running_var" in name else torch.randn_like(tensor))
    return model.eval(), network, arguments


def save(folder, part, glove, options=None, **arguments):
    """Write the model's checkpoint to a folder."""
    model, network, arguments = build(part, **arguments)
    part = part.split("/")[0]
    write_checkpoint(folder / MODELS[part], part, {
        "model": model.state_dict(), "arguments": arguments, "ensemble": None if model is network else model.arguments,
        "vocabulary": WORDS, "inputs": {"glove": checksum(glove if uses_glove(part) else None)},
        "options": TRAINED_WITH | (options or {}), "curves": {}, "finished": True})


@torch.no_grad()
def logits_of(part, token_ids, glove, **arguments):
    """The logit of one review, a list of token ids, by the model itself: that of the "model" and of its members."""
    model, network, _ = build(part, **arguments)
    x, t = torch.tensor([token_ids]), torch.zeros(1)
    if part == "1a":
        logit = network([token_ids], t)[1].item()
    elif part == "1b":
        logit = network(glove[[k for k in token_ids if k]].mean(dim=0, keepdim=True), t)[1].item()
    elif part == OTHERS:
        logit = network(x, t)[1].item()
    else:
        logit = network(glove[x] if part == "2b" else x, t, train=False)[1].item()
    if model is network:
        return {"model": logit}
    ngrams = model.ngrams.contributions(x).sum().item()
    return {"model": (1 - NGRAM_WEIGHT) * logit + NGRAM_WEIGHT * ngrams, "network": logit, "n-grams": ngrams}
