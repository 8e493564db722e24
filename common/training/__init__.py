"""The training loop, a run's folder, evaluation and stopping; uses data, layers and results."""
