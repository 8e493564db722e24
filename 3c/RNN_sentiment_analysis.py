"""Part 3c: train a classifier that starts from the language model of part 3a.

    python 3c/RNN_sentiment_analysis.py
    python 3c/RNN_sentiment_analysis.py --fine-tune all --learning-rate 0.0003

Reads the language model from --language-model and the preprocessed reviews from --data; writes rnn.model, data.npy,
record.json and curves.png to --output. The vocabulary is at least the language model's; words beyond it start with the
vector of the unknown token, which only --fine-tune all changes. Crops of twice the training length are tested while
training; RNN_test.py makes the whole table. The assignment's test accuracy is 80.98 % at 50 tokens and 93.01 % at 500.
"""

import sys
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).resolve().parents[:2])         # the part's folder, and the project's

from common.arguments import number
from common.errors import UserError, run_script
from common.options import CLASSIFIER_DEFAULTS, Option, parse_options
from common.parts import ROOT

RECIPES = {
    "assignment": {},
    "overfit": dict(dropout=[0.0], epochs=40, fine_tune="all"),
    "underfit": dict(sequence_length=10, epochs=6),
    "best": dict(ngrams=3, ngram_weight=0.4, drop_duplicates=True, vocab_size=20_000, sequence_length=200,
                 batch_size=50, learning_rate=0.002, epochs=3, fine_tune="all", dropout=[0.1], pooling="concat",
                 fixed_batch_norm=True, adversarial=0.01, schedule="one-cycle", layer_decay=0.6),
}
FINE_TUNE = Option("training", "last", choices=["last", "lstm", "all"],
                   help="layers trained besides the output: the last LSTM layer, all, or these and the embedding")
LAYER_DECAY = Option("training", 1.0, type=number(float, 0, 1, open_low=True), metavar="RATIO",
                     help="learning rate of each layer divided by that of the layer above it")


def build_training(argv=None, logger=None):
    """The training that the options ask for; argv as in parse_options, logger as in Training."""
    options = parse_options(
        __doc__, __file__, argv, presets={"recipe": RECIPES}, **CLASSIFIER_DEFAULTS | dict(
            epochs=20, test_every=3, step_epochs=10, sequence_length=100, dropout=[0.3], pooling="max",
            precise_batch_norm=False, fixed_batch_norm=False, adversarial=0.0, reversed=False, vocab_size=8000,
            fine_tune=FINE_TUNE, layer_decay=LAYER_DECAY, language_model=ROOT / "3a" / "language.model"))

    # Only now, since torch takes a second to import, and --help should not.
    from common.checkpoints import check_words, load_checkpoint
    from common.data.batches import crops_of_splits
    from common.data.splits import read_splits, refuse_other_holdout
    from common.devices import set_up
    from common.layers.ngram_ensemble import ensemble_with_ngrams
    from common.training.adversarial import AdversarialScore
    from common.training.loop import Training, sentiment_score
    from common.training.schedules import build_optimizer
    from RNN_model import RNN_model

    set_up(options, several_processes=True)
    language_model = load_checkpoint(options.language_model, "3a", options.device)
    refuse_other_holdout(options.language_model, "part 3a", language_model["options"], options)
    if language_model["options"].get("reversed", False) != options.reversed:
        raise UserError(f"{options.language_model}: reads reviews in the other direction; train both with --reversed, "
                        "or neither")
    known = len(language_model["vocabulary"])
    options.vocab_size = max(options.vocab_size, known)
    reviews, vocabulary = read_splits(options)
    check_words(language_model, options.language_model, vocabulary[:known])
    data = crops_of_splits(reviews, options)

    arguments = {name: language_model["arguments"][name] for name in ("no_of_hidden_units", "lstm_layers")} | dict(
        vocab_size=len(vocabulary) + 1, dropout=options.dropout, pooling=options.pooling)
    network = RNN_model(**arguments)
    network.load_language_model(language_model["model"])
    network.to(options.device).requires_grad_(False)
    layers = [layer.requires_grad_() for layer in network.layers_to_train(options.fine_tune)]
    model = ensemble_with_ngrams(network, data, options)
    # Learning rates fall from layer to layer downwards (Howard and Ruder 2018).
    rates = [options.learning_rate * options.layer_decay ** depth for depth in reversed(range(len(layers)))]
    groups = [{"params": layer.parameters(), "lr": rate} for layer, rate in zip(layers, rates)]
    optimizer = build_optimizer(model, options, groups)
    score = AdversarialScore(network, options.adversarial, sentiment_score) if options.adversarial else sentiment_score
    return Training("3c", model, arguments, optimizer, score, data, vocabulary, options, logger=logger)


if __name__ == "__main__":
    run_script(lambda: build_training().run())
