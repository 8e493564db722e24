"""What the parts share: data, layers, training, evaluation, checkpoints, options, reports."""
