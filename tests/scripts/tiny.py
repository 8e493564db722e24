"""Options at which a part trains on the sample in seconds."""

TINY = ["--epochs", "1", "--batch-size", "100"]
RECURRENT = ["--hidden-units", "16", "--sequence-length", "20"]
OPTIONS = {"1a": ["--hidden-units", "16"], "1b": ["--hidden-units", "16"], "2a": RECURRENT, "2b": RECURRENT,
           "3a": [*RECURRENT, "--batch-size", "20", "--learning-rate", "0.01", "--drop-duplicates"],
           "3c": ["--sequence-length", "20"]}
