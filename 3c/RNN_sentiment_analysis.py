"""Part 3c: train a classifier that starts from the language model of part 3a.

    python 3c/RNN_sentiment_analysis.py
    python 3c/RNN_sentiment_analysis.py --fine-tune all --learning-rate 0.0003

Reads the language model and the preprocessed reviews from --data; writes rnn.model, data.npy,
record.json and curves.png to --output. Words of --vocab-size that the language model does not know
begin as its unknown token, and leave it only with --fine-tune all; it never knows fewer. While training,
crops of twice the training length are tested; RNN_test.py makes the whole table. The assignment's test
accuracy is 80.98 % at 50 tokens and 93.01 % at 500.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from RNN_model import RNN_model
from common.checkpoints import check_words, load_checkpoint
from common.data.reviews import read_splits
from common.errors import UserError, run_script
from common.training.evaluation import sentiment_score
from common.options import CLASSIFIER_DEFAULTS, ROOT, parse_options
from common.processes import processes
from common.training.recipes import RECIPES
from common.training.loop import Training


def build_training(argv=None):
    """The run that the options ask for, ready to start; argv as in parse_options."""
    options = parse_options(
        __doc__, __file__, argv, presets={"recipe": RECIPES["3c"]}, **CLASSIFIER_DEFAULTS, epochs=20, test_every=3,
        step_epochs=10, sequence_length=100, pooling="max", vocab_size=8000, fine_tune="last",
        layer_decay=1.0, language_model=ROOT / "3a" / "language.model", several_processes=True)
    language_model = load_checkpoint(options.language_model, "3a", options.device)
    if options.drop_copies and not language_model["options"].get("drop_copies"):
        raise UserError(f"--drop-copies: {options.language_model} has read the copies; train 3a with --drop-copies too")
    known = len(language_model["vocabulary"])
    options.vocab_size = max(options.vocab_size, known)
    reviews, vocabulary = read_splits(options)
    check_words(language_model, options.language_model, vocabulary[:known])

    arguments = dict(language_model["arguments"], vocab_size=len(vocabulary) + 1, dropout=options.dropout,
                     pooling=options.pooling, ngrams=options.ngrams)
    model = RNN_model(**arguments)
    model.load_language_model(language_model["model"])
    model.to(options.device).requires_grad_(False)
    if model.ngrams:
        model.ngrams.weigh(reviews["train"])
    parameters = []
    for depth, layer in enumerate(reversed(model.layers_to_train(options.fine_tune))):
        rate = options.learning_rate * options.layer_decay ** depth
        parameters.insert(0, {"params": layer.requires_grad_().parameters(), "lr": rate})
    parallel = processes.wrap(model)

    def score(split, indices):
        train = split == "train"
        t = reviews[split].labels[processes.share(indices)]                     # batch
        x = reviews[split].crops(indices, options.sequence_length * (1 if train else 2))    # batch, time
        return sentiment_score(parallel(x, t, train=train), t)

    return Training("3c", "rnn.model", model, arguments, parameters, score, reviews, vocabulary, options)


def main():
    build_training().run()


if __name__ == "__main__":
    run_script(main)
