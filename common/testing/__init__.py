"""Test tables, one's own reviews and explanations of a trained model; uses all other folders but training."""
