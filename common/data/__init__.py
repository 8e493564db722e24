"""Preprocessed files, reviews in memory, and the batches drawn from them; uses the flat files."""
