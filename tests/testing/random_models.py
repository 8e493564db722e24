"""Models of all parts with random weights, as training would leave them in a folder, and what they say of a review."""

import numpy as np
import torch
from parts import MODELS, TEST_SCRIPTS, load_script

from common.checkpoints import checksum, describe_network, weights_checksum, write_checkpoint
from common.data.ngrams import NGramTable
from common.data.reviews import build_reviews
from common.layers.ngram_ensemble import Ensemble, NGrams

WORDS = ["the", "film", "was", "great", "bad", ".", "n't", "<b>"]
UNITS = 5
OTHERS = "2a/other_networks"
SCRIPTS = TEST_SCRIPTS | {OTHERS: "2a/RNN_test.py"}
NGRAM_WEIGHT = 0.6
TRAINED_WITH = dict(validation=0.0, seed=0, drop_duplicates=False)
# Each part's model, the course's other networks, and a bag of words and an LSTM with n-grams.
KINDS = [(part, {}) for part in TEST_SCRIPTS] + [
    (OTHERS, {"model": "SentimentRNN"}), (OTHERS, {"model": "SentimentClassifier"})] + [
    (part, {"ngrams": 2}) for part in ("1a", "2b")]


def uses_glove(part):
    return part in ("1b", "2b")


def table_of_all_pairs(longest):
    """The NGramTable of all n-grams of up to two words of WORDS."""
    words = range(1, len(WORDS) + 1)
    pairs = [[first, second] for first in words for second in words] * 2
    return NGramTable.of(build_reviews(np.array(pairs, np.int32).ravel(), np.full(len(pairs), 2), [1.0] * len(pairs),
                                       [""] * len(pairs), "cpu"), longest)


def build(part, ngrams=0, model=None, **arguments):
    """(model, its network, the network's arguments), with random weights and running statistics."""
    torch.manual_seed(1)
    own = {"in_size": UNITS} if uses_glove(part) else {"vocab_size": len(WORDS) + 1}
    own |= {"pooling": "max"} if part in ("2a", "2b", "3c") else {}
    arguments = own | {"no_of_hidden_units": UNITS} | arguments
    name = model or ("BOW_model" if part[0] == "1" else "RNN_model")
    network = getattr(load_script(part, f"{name}.py"), name)(**arguments)
    model = Ensemble(network, NGrams(table_of_all_pairs(ngrams)), NGRAM_WEIGHT) if ngrams else network
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) + 0.5 if "running_var" in name else torch.randn_like(tensor))
    if ngrams:
        model.ngrams.ratio[0] = 0               # of no n-gram
    return model.eval(), network, arguments


def padding_counts(part, arguments):
    return part != OTHERS and arguments.get("pooling") != "concat"


def save(folder, part, glove, options=None, inputs=None, **arguments):
    """Write the model's checkpoint to a folder; inputs: others than it was trained with."""
    model, network, arguments = build(part, **arguments)
    crops = {"sequence_length": 2, "last": part == OTHERS, "padding_counts": padding_counts(part, arguments)}
    part = part.split("/")[0]
    state = model.state_dict()
    write_checkpoint(folder / MODELS[part], part, {
        "model": state, "weights": weights_checksum(state), "arguments": arguments, "crops": crops,
        "network": describe_network(network), "ensemble": None if model is network else model.arguments(),
        "vocabulary": WORDS, "inputs": {"word vectors": checksum(glove if uses_glove(part) else None)} | (inputs or {}),
        "options": TRAINED_WITH | (options or {}), "curves": {}, "finished": True})


@torch.no_grad()
def logits_of(part, token_ids, glove, **arguments):
    """The logit of one review, a list of token ids, by the model itself: that of the "model" and of its members."""
    model, network, _ = build(part, **arguments)
    x, t = torch.tensor([token_ids]), torch.zeros(1)
    padded = x                                  # as in training, on crops of two tokens
    if padding_counts(part, arguments):
        padded = torch.nn.functional.pad(x, (0, max(0, 2 - x.shape[1])))
    if part == "1a":
        logit = network([token_ids], t)[1].item()
    elif part == "1b":
        logit = network(glove[[k for k in token_ids if k]].mean(dim=0, keepdim=True), t)[1].item()
    elif part == OTHERS:
        logit = network(x, t)[1].item()
    else:
        logit = network(glove[padded] if part == "2b" else padded, t, train=False)[1].item()
    if model is network:
        return {"model": logit}
    ngrams = model.ngrams.contributions(x).sum().item()
    return {"model": (1 - NGRAM_WEIGHT) * logit + NGRAM_WEIGHT * ngrams, "network": logit, "n-grams": ngrams}
