"""Part 2a: test another network of the course, by sequence length; or classify one's own reviews.

    python 2a/other_networks/test.py
    python 2a/other_networks/test.py --review "A great film." --explain

Reads rnn.model from --output and the preprocessed reviews from --data; writes test_table.csv,
test_table.png and predictions.csv to --output. Crops are taken as in training, random or the last
tokens. The other options are those of 2a/RNN_test.py.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from common.data.batches import Crops
from common.errors import run_script
from common.options import LSTM_TEST_DEFAULTS, parse_options
from common.testing.explanations import timestep_contributions
from common.testing.tables import SequenceTest
from SentimentRNN import SentimentRNN
from train import build_network


class NetworkTest(SequenceTest):
    """Networks that never read padding."""

    def crops(self, reviews, length):
        return Crops(reviews, length, self.checkpoint["options"]["crop"] == "last", padding_counts=False)

    def predict_network(self, network, batch):
        return network(batch.tokens, batch.labels, lengths=batch.lengths)

    def network_contributions(self, batch):
        if isinstance(self.network, SentimentRNN):
            return changes_of_logit(self.network, batch)
        return timestep_contributions(self.network, self.predict_network, batch)


def changes_of_logit(network, batch):
    """By how much each token changes a SentimentRNN's logit: (batch, time) float, 0 from a review's length on.

    The logit before the first token is the output's bias; with it these sum to the logit.
    """
    logits, _ = network.read(batch.tokens, network.init_hidden(len(batch.tokens)))      # batch, time
    added = logits.diff(prepend=network.fc_output.bias.expand(len(logits), 1))
    return added * (torch.arange(added.shape[1], device=added.device) < batch.lengths[:, None])


def build_test(argv=None):
    """The test that the options ask for; argv as in parse_options."""
    options = parse_options(__doc__, __file__, argv, **LSTM_TEST_DEFAULTS)
    return NetworkTest("2a", build_network, options)


def main():
    build_test().run()


if __name__ == "__main__":
    run_script(main)
