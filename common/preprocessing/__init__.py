"""Raw reviews and word vectors to preprocessed files; uses data and the flat files."""
