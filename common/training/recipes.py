"""Settings worth comparing: the assignment's own, trials that overfit and underfit, and the best that are known.

The assignment asks for such trials of 1a, 1b, 2a, 2b and 3c; 3a has a short one for those without a GPU.
`--recipe overfit` takes the options below in place of the script's defaults, which are the assignment's.
The best recipes learn from the unlabelled reviews too, with the labels that 1a's teacher gives them; what
was chosen on validation reviews, and what was not, stands in benchmarks/results.
"""

from common.options import ROOT

# No dropout and many epochs: the model learns the training reviews by heart.
BAG_OVERFIT = dict(hidden_layers=3, dropout=0.0, epochs=20)
LSTM_OVERFIT = dict(dropout=0.0, epochs=40)

# Too little to learn from: a few units, words or timesteps, and few epochs.
LSTM_UNDERFIT = dict(sequence_length=10, epochs=6)

# Word n-grams beside the network, and no training review that is a test review too.
TEACHER = dict(ngrams=3, drop_copies=True)
# The same, and what 1a's teacher says of the unlabelled reviews.
STUDENT = TEACHER | dict(pseudo_labels=ROOT / "results" / "teacher" / "pseudo_labels.npy")
BAG = dict(vocab_size=30_000, hidden_units=100, epochs=2, learning_rate=0.002)

RECIPES = {
    "1a": {"assignment": {}, "overfit": BAG_OVERFIT, "underfit": dict(vocab_size=100, hidden_units=10),
           "teacher": TEACHER | BAG, "best": STUDENT | BAG},
    "1b": {"assignment": {}, "overfit": BAG_OVERFIT | dict(epochs=60), "underfit": dict(hidden_units=2, epochs=3),
           "best": STUDENT | dict(epochs=2, learning_rate=0.002)},
    "2a": {"assignment": {}, "overfit": LSTM_OVERFIT, "underfit": LSTM_UNDERFIT | dict(hidden_units=10),
           "best": STUDENT | dict(vocab_size=20_000, hidden_units=100, epochs=4)},
    "2b": {"assignment": {}, "overfit": LSTM_OVERFIT, "underfit": LSTM_UNDERFIT | dict(hidden_units=10),
           "best": STUDENT | dict(epochs=4, schedule="one-cycle", learning_rate=0.003)},
    "3a": {"assignment": {}, "short": dict(hidden_units=256, dropout=0.1, drop_copies=True, epochs=4, batch_size=100,
                                           schedule="one-cycle", learning_rate=0.003)},
    "3c": {"assignment": {}, "overfit": LSTM_OVERFIT | dict(fine_tune="all"), "underfit": LSTM_UNDERFIT,
           "best": STUDENT | dict(vocab_size=20_000, sequence_length=200, batch_size=100, learning_rate=0.002, epochs=2,
                                  fine_tune="all", dropout=0.3, schedule="one-cycle", layer_decay=0.6)},
}
