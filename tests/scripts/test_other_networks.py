"""The other networks of the course: their layers, and the scripts that train and test them."""

import parts
import pytest
import torch
import torch.nn.functional as F
from parts import load_script
from torch import nn

from common.checkpoints import load_checkpoint
from common.errors import UserError
from common.processes import processes
from common.results.records import read_table

BATCH, TIME, HIDDEN, VOCAB, IN_SIZE = 5, 7, 6, 20, 4
LENGTHS = torch.tensor([4, TIME, 1, 5, 2])
NAMES = ["SentimentRNN", "SentimentClassifier"]
FOLDER = "2a/other_networks"


def network_class(name):
    return getattr(load_script(FOLDER, f"{name}.py"), name)


def build(name, **arguments):
    torch.manual_seed(0)
    model = network_class(name)(VOCAB, HIDDEN, **arguments)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, -1, 1)
    return model


def layer(cell="lstm"):
    torch.manual_seed(0)
    return load_script(FOLDER, "SentimentClassifier.py").GateLSTM(IN_SIZE, HIDDEN, cell)


def draw_inputs():
    """Token ids and labels of reviews of LENGTHS, in a padding of real words that must not be read."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, VOCAB, (BATCH, TIME), generator=generator), torch.arange(BATCH).remainder(2).float()


def step(model, x, *rest, **options):
    """Forward and backward -> (results, gradients by name)."""
    model.zero_grad()
    results = model(x, *rest, **options)
    (results[0] if isinstance(results, tuple) else results.square().mean()).backward()
    return results, {name: parameter.grad for name, parameter in model.named_parameters()}


def assert_close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)


# The LSTM written from its gates


def test_the_gates_are_those_of_torchs_lstm_cell():
    ours, cell = layer(), nn.LSTMCell(IN_SIZE, HIDDEN)
    gates = ours.input_gate, ours.forget_gate, ours.cell_gate, ours.output_gate         # torch's order
    with torch.no_grad():
        weight = torch.cat([gate.weight for gate in gates])
        cell.weight_hh.copy_(weight[:, :HIDDEN])
        cell.weight_ih.copy_(weight[:, HIDDEN:])
        cell.bias_ih.copy_(torch.cat([gate.bias for gate in gates]))
        cell.bias_hh.zero_()
    x = torch.randn(BATCH, TIME, IN_SIZE)
    state, expected = (torch.zeros(BATCH, HIDDEN),) * 2, []
    for x_now in x.unbind(dim=1):
        state = cell(x_now, state)
        expected.append(state[0])
    expected = torch.stack(expected, dim=1)
    output, gradients = step(ours, x)
    expected.square().mean().backward()
    assert_close(output, expected)
    for k, gate in enumerate(["input_gate", "forget_gate", "cell_gate", "output_gate"]):
        rows = slice(k * HIDDEN, (k + 1) * HIDDEN)
        assert_close(gradients[f"{gate}.weight"], torch.cat([cell.weight_hh.grad, cell.weight_ih.grad], dim=1)[rows])
        assert_close(gradients[f"{gate}.bias"], cell.bias_ih.grad[rows])


def test_the_courses_cell_has_a_sigmoid_for_the_tanh_and_a_relu_layer_behind():
    ours, x = layer("course"), torch.randn(BATCH, 2, IN_SIZE)
    h = c = torch.zeros(BATCH, HIDDEN)
    for x_now in x.unbind(dim=1):
        hx = torch.cat([h, x_now], dim=1)
        f, i, g, o = (torch.sigmoid(F.linear(hx, gate.weight, gate.bias)) for gate in (
            ours.forget_gate, ours.input_gate, ours.cell_gate, ours.output_gate))
        c = f * c + i * g
        h = o * torch.tanh(c)
    output = ours(x)
    assert_close(output[:, 1], F.linear(h, ours.projection[0].weight, ours.projection[0].bias).clamp(min=0))
    assert (output == 0).any() and (output > 0).any()


def test_average_and_maximum_of_the_real_tokens_are_read():
    model, (x, t) = build("SentimentClassifier"), draw_inputs()
    h = model.lstm(model.embedding(x))
    pooled = torch.stack([torch.cat([h[k, :n].mean(dim=0), h[k, :n].amax(dim=0)]) for k, n in enumerate(LENGTHS)])
    logits = model.fc_output(pooled)[:, 0]
    assert_close(model(x, t, lengths=LENGTHS), (F.binary_cross_entropy_with_logits(logits, t), logits))


# SentimentRNN


def test_the_hidden_state_is_zeros_before_the_first_token():
    hidden = build("SentimentRNN", lstm_layers=3).init_hidden(4)
    assert [[part.shape for part in state] for state in hidden] == [[(1, 4, HIDDEN)] * 2] * 3
    assert not any(part.any() for state in hidden for part in state)


def test_every_layer_is_an_lstm_of_its_own():
    names = {name for name, _ in build("SentimentRNN").named_parameters()}
    assert {f"lstm.{layer}.{kind}_{side}_l0" for layer in (0, 1) for kind in ("weight", "bias") for side in ("ih", "hh")
            } < names


def test_the_layers_are_those_of_torchs_lstm_of_several_layers():
    ours, (x, _) = build("SentimentRNN").eval(), draw_inputs()
    theirs = nn.LSTM(400, HIDDEN, num_layers=2, batch_first=True)
    theirs.load_state_dict({name.replace("_l0", f"_l{k}"): tensor for k, lstm in enumerate(ours.lstm)
                            for name, tensor in lstm.state_dict().items()})
    h, (last, cell) = theirs(ours.embedding(x))
    logits, hidden = ours.read(x, ours.init_hidden(BATCH))
    assert_close(logits, ours.fc_output(h)[:, :, 0])
    assert_close([torch.cat(parts) for parts in zip(*hidden)], [last, cell])


def test_dropout_stands_between_the_layers_and_before_the_output():
    model, (x, _) = build("SentimentRNN", dropout=1.0).train(), draw_inputs()
    model.dropout.p = 0.0
    h, _ = model.lstm[1](torch.zeros(BATCH, TIME, HIDDEN))                      # nothing comes from the first layer
    assert_close(model.read(x, model.init_hidden(BATCH))[0], model.fc_output(h)[:, :, 0])
    model.dropout.p = 1.0
    assert_close(model.read(x, model.init_hidden(BATCH))[0], model.fc_output.bias.expand(BATCH, TIME))


def test_reading_on_from_the_hidden_state_equals_reading_at_once():
    model, (x, _) = build("SentimentRNN").eval(), draw_inputs()
    whole, hidden = model.step(x, model.init_hidden(BATCH))
    begun, between = model.step(x[:, :3], model.init_hidden(BATCH))
    ended, after = model.step(x[:, 3:], between)
    assert whole.shape == (BATCH, TIME) and ((0 < whole) & (whole < 1)).all()
    assert_close((torch.cat([begun, ended], dim=1), after), (whole, hidden))


def test_the_output_is_read_at_the_last_real_token():
    model, (x, t) = build("SentimentRNN").eval(), draw_inputs()
    probabilities, _ = model.step(x, model.init_hidden(BATCH))
    expected = probabilities[torch.arange(BATCH), LENGTHS - 1]
    loss, logit = model(x, t, lengths=LENGTHS)
    assert_close(logit.sigmoid(), expected)
    assert_close(loss, -torch.where(t > 0, expected, 1 - expected).log().mean())


def test_a_confidently_wrong_review_has_a_loss_in_its_logit_and_the_gradient_to_put_it_right():
    model, (x, t) = build("SentimentRNN").eval(), draw_inputs()
    nn.init.constant_(model.fc_output.bias, 1000)
    (loss, logit), gradients = step(model, x, torch.zeros_like(t))
    assert_close(loss, logit.mean())
    assert_close(gradients["fc_output.bias"], torch.ones(1))


def test_dropout_follows_train_and_eval():
    model, (x, t) = build("SentimentRNN"), draw_inputs()
    first, second = (model(x, t)[1] for _ in range(2))
    assert not torch.equal(first, second)
    model.eval()
    first, second = (model(x, t)[1] for _ in range(2))
    assert torch.equal(first, second)


# Both


@pytest.mark.parametrize("name", NAMES)
def test_padding_does_not_change_a_logit(name):
    model, (x, t) = build(name).eval(), draw_inputs()
    alone = [model(x[[k], :n], t[[k]])[1] for k, n in enumerate(LENGTHS)]
    assert_close(model(x, t, lengths=LENGTHS)[1], torch.cat(alone))


@pytest.mark.parametrize("name", NAMES)
def test_lengths_beyond_a_crop_are_those_of_the_crop(name):
    model, (x, t) = build(name).eval(), draw_inputs()
    assert_close(model(x, t, lengths=torch.full((BATCH,), 3 * TIME)), model(x, t))


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_changes_a_logit_by_little(name):
    model, inputs = build(name).eval(), draw_inputs()
    with torch.autocast("cpu", torch.bfloat16):
        (loss, logit), gradients = step(model, *inputs, lengths=LENGTHS)
    assert loss.dtype == logit.dtype == torch.float32
    torch.testing.assert_close(logit, model(*inputs, lengths=LENGTHS)[1], rtol=0.05, atol=0.05)
    assert all(gradient.isfinite().all() for gradient in gradients.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_network_learns(name):
    model, (x, _) = build(name), draw_inputs()
    t = (x[:, 0] < VOCAB / 2).float()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(40):
        losses.append(step(model, x, t, lengths=LENGTHS)[0][0].item())
        optimizer.step()
    assert losses[-1] < 0.3 * losses[0]


# The scripts


def build_training(*argv):
    return parts.build_training(FOLDER, *argv)


@pytest.fixture
def train(data, run_here, tmp_path):
    """Trains a network at a tiny size -> what was printed."""
    def train(name, *options):
        status, stdout, stderr = run_here(
            f"{FOLDER}/train.py", "--model", name, "--data", data, "--output", tmp_path, "--epochs", "1",
            "--hidden-units", "8", "--sequence-length", "20", "--batch-size", "100", "--precision", "float32", *options)
        assert (status, stderr) == (0, "")
        return stdout
    return train


@pytest.mark.parametrize("name", NAMES)
def test_the_scripts_train_and_test_a_network(name, train, data, run_here, tmp_path):
    printed = train(name)
    assert "epoch  1/1 | train loss " in printed and " | validation loss " in printed
    assert load_checkpoint(tmp_path / "rnn.model", "2a")["network"] | {"source": 0} == {
        "file": f"{FOLDER}/{name}.py", "class": name, "source": 0}
    status, stdout, stderr = run_here("2a/RNN_test.py", "--data", data, "--output", tmp_path, "--lengths", "50",
                                      "100", "--precision", "float32")
    assert (status, stderr) == (0, "")
    rows = read_table(tmp_path / "test_table.csv")
    assert [row["sequence length"] for row in rows] == ["50", "100", "whole"]
    assert all(30 < float(row["test accuracy"]) <= 100 for row in rows)


def test_a_network_is_tested_on_the_last_tokens_only_if_it_was_trained_on_them(train, data, run_here, tmp_path):
    def losses(seed):
        status, *_ = run_here("2a/RNN_test.py", "--data", data, "--output", tmp_path, "--lengths", "30", "--seed",
                              seed, "--precision", "float32")
        assert status == 0
        return [row["test loss"] for row in read_table(tmp_path / "test_table.csv")]
    train("SentimentClassifier")
    assert losses(1) == losses(2)
    train("SentimentClassifier", "--crop", "random", "--restart")
    assert losses(1) != losses(2)


def test_an_unknown_network_is_refused_with_those_there_are():
    with pytest.raises(UserError, match="--model: invalid choice: 'RNN_model' .*SentimentRNN.*SentimentClassifier"):
        build_training("--model", "RNN_model")


def test_sentiment_rnn_is_refused_under_torchrun(monkeypatch):
    monkeypatch.setattr(processes, "size", 2)
    with pytest.raises(UserError, match="torchrun: .*SentimentRNN; start it with python"):
        build_training("--model", "SentimentRNN")


@pytest.mark.parametrize("name, expected", [
    ("SentimentRNN", dict(epochs=4, hidden_units=256, lstm_layers=2, dropout=0.5, learning_rate=0.001, clip_norm=5.0,
                          crop="random", sequence_length=200)),
    ("SentimentClassifier", dict(epochs=5, hidden_units=100, vocab_size=3000, sequence_length=128, crop="last",
                                 clip_norm=0.0))])
def test_each_network_has_the_courses_settings_and_keeps_its_best_epoch(name, expected, data, tmp_path):
    training = build_training("--model", name, "--data", data, "--output", tmp_path)
    assert {option: getattr(training.options, option) for option in expected} == expected
    assert training.options.patience == training.options.epochs and training.options.validation > 0
    assert type(training.model).__name__ == name


@pytest.mark.parametrize("name, option, value", [
    ("SentimentRNN", "--cell", "course"), ("SentimentClassifier", "--dropout", "0.2"),
    ("SentimentClassifier", "--lstm-layers", "2")])
def test_an_option_that_a_network_does_not_have_is_refused(name, option, value, data, tmp_path):
    with pytest.raises(UserError, match=f"{option}: {name} has none; leave it to another --model"):
        build_training("--model", name, option, value, "--data", data, "--output", tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_looking_at_the_validation_reviews_changes_no_random_number(name, data, tmp_path):
    training = build_training("--model", name, "--data", data, "--output", tmp_path, "--hidden-units", 4,
                              "--sequence-length", 5, "--device", "cpu")
    state = torch.get_rng_state()
    training.evaluate("validation")
    assert torch.equal(torch.get_rng_state(), state)
