"""Settings worth comparing: the assignment's own, and trials that overfit and underfit.

The assignment asks for such trials of 1a, 1b, 2a, 2b and 3c. `--recipe overfit` takes the options below
in place of the script's defaults, which are the assignment's.
"""

# No dropout and many epochs: the model learns the training reviews by heart.
BAG_OVERFIT = dict(hidden_layers=3, dropout=0.0, epochs=20)
LSTM_OVERFIT = dict(dropout=0.0, epochs=40)

# Too little to learn from: a few units, words or timesteps, and few epochs.
LSTM_UNDERFIT = dict(sequence_length=10, epochs=6)

RECIPES = {
    "1a": {"assignment": {}, "overfit": BAG_OVERFIT, "underfit": dict(vocab_size=100, hidden_units=10)},
    "1b": {"assignment": {}, "overfit": BAG_OVERFIT | dict(epochs=60), "underfit": dict(hidden_units=2, epochs=3)},
    "2a": {"assignment": {}, "overfit": LSTM_OVERFIT, "underfit": LSTM_UNDERFIT | dict(hidden_units=10)},
    "2b": {"assignment": {}, "overfit": LSTM_OVERFIT, "underfit": LSTM_UNDERFIT | dict(hidden_units=10)},
    "3c": {"assignment": {}, "overfit": LSTM_OVERFIT | dict(fine_tune="all"), "underfit": LSTM_UNDERFIT},
}
