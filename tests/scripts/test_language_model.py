"""The language model's scores and decoders, and what 3c takes of it."""

import pytest
import torch
import torch.nn.functional as F
from models import (
    BATCH, HIDDEN, TIME, VOCAB, WORDS, assert_close, draw_inputs, model_class, named_gradients, pair,
    parameter_names, randomise, run,
)

# Next word


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
