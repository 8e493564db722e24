"""The parts of the assignment: which scripts and files belong to which, and the assignment's own figures."""

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Part(NamedTuple):
    """A part of the assignment.

    title: what its model is.
    train, test: paths of its scripts from the project's folder; 3a tests itself, and 3b trains nothing.
    model: name of the checkpoint file.
    accuracy: test accuracy in percent as the assignment gives it, as text or by sequence length in tokens.
    words: "imdb" or "glove", the dictionary whose token ids it reads.
    """

    title: str
    train: str
    test: str = ""
    model: str = ""
    accuracy: str | dict = ""
    words: str = "imdb"


PARTS = {
    "1a": Part("bag of words", "1a/BOW_sentiment_analysis.py", "1a/BOW_test.py", "BOW.model", "86-88"),
    "1b": Part("bag of words on word vectors", "1b/BOW_sentiment_analysis.py", "1b/BOW_test.py", "BOW.model", "81-87",
               "glove"),
    "2a": Part("LSTM", "2a/RNN_sentiment_analysis.py", "2a/RNN_test.py", "rnn.model",
               {50: 76.14, 100: 81.74, 150: 84.51, 200: 86.10, 250: 86.69, 300: 86.98, 350: 87.00, 400: 87.25,
                450: 87.22}),
    "2b": Part("LSTM on word vectors", "2b/RNN_sentiment_analysis.py", "2b/RNN_test.py", "rnn.model",
               {50: 78.94, 200: 89.18, 500: 91.19}, "glove"),
    "3a": Part("language model", "3a/train_language_model.py", model="language.model"),
    "3b": Part("generated reviews", "3b/generate_review.py"),
    "3c": Part("classifier from the language model", "3c/RNN_sentiment_analysis.py", "3c/RNN_test.py", "rnn.model",
               {50: 80.98, 200: 91.15, 500: 93.01}),
}
