"""The networks of part 2a by name, and what each is trained with where the options do not say otherwise."""

from common.errors import UserError
from RNN_model import RNN_model
from SentimentClassifier import SentimentClassifier
from SentimentRNN import SentimentRNN

NETWORKS = {"RNN_model": RNN_model, "SentimentRNN": SentimentRNN, "SentimentClassifier": SentimentClassifier}

# Options that are arguments of the same name, beside --hidden-units.
ARGUMENTS = {"RNN_model": ["lstm_layers", "dropout", "pooling", "ngrams"], "SentimentRNN": ["lstm_layers", "dropout"],
             "SentimentClassifier": ["cell"]}

# None stands for what a network does not have.
PRESETS = {
    "RNN_model": dict(cell=None),
    "SentimentRNN": dict(epochs=4, batch_size=50, sequence_length=200, hidden_units=256, lstm_layers=2, clip_norm=5.0,
                         validation=0.1, validate_every=100, keep="accuracy", pooling=None, ngrams=None, cell=None),
    "SentimentClassifier": dict(epochs=5, batch_size=50, sequence_length=128, crop="last", hidden_units=100,
                                vocab_size=3000, schedule="step", step_epochs=4, validation=0.1, keep="accuracy",
                                lstm_layers=None, dropout=None, pooling=None, ngrams=None)}


def refuse_options_of_others(options):
    """Raise UserError for an option that the network of options.model does not have."""
    for name, preset in PRESETS[options.model].items():
        if preset is None and getattr(options, name) is not None:
            raise UserError(f"--{name.replace('_', '-')}: {options.model} has none; leave it, and a recipe that "
                            "sets it, to another --model")


def network_arguments(options, vocab_size):
    """The arguments of build_network that the options ask for, as the checkpoint keeps them."""
    return dict(model=options.model, vocab_size=vocab_size, no_of_hidden_units=options.hidden_units) | {
        name: getattr(options, name) for name in ARGUMENTS[options.model]}


def build_network(model="RNN_model", **arguments):
    """The network of that name; all are called as network(x, t, train, lengths) -> (loss, logit)."""
    return NETWORKS[model](**arguments)
