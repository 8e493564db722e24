"""Part 3a: LSTM language model."""

import torch
from torch import nn

from common.layers.lstm import LSTMStack
from common.layers.losses import linear_cross_entropy


class RNN_language_model(LSTMStack):
    """Embedding, LSTM layers and a decoder to the next word (assignment, part 3a).

    Args:
        vocab_size: number of embeddings and of output words, the unknown token's included.
        no_of_hidden_units: width of the embedding and of every LSTM layer.
        dropout: probability that a hidden unit is dropped in training.
        lstm_layers: number of LSTM layers; the assignment has three.
    """

    def __init__(self, vocab_size, no_of_hidden_units, dropout=0.3, lstm_layers=3):
        super().__init__(no_of_hidden_units, no_of_hidden_units, lstm_layers, dropout)
        self.embedding = nn.Embedding(vocab_size, no_of_hidden_units)
        self.decoder = nn.Linear(no_of_hidden_units, vocab_size)
        self.loss = nn.CrossEntropyLoss()
        self.vocab_size = vocab_size

    def forward(self, x, train=True, lengths=None, keep_logits=True):
        """Predict each word from the words before it.

        Args:
            x: (batch, time + 1) int64, token ids.
            train: whether dropout is applied and the loss computed.
            lengths, keep_logits: without logits to keep, the call is one of score().

        Returns:
            (loss, logits) if train, else logits: mean cross entropy in nats over all targets,
            padding included as in the assignment; logits (batch, vocab, time).
        """
        if not keep_logits:
            return self.score(x, lengths, train)
        self.reset_state()
        logits = self.next_word_logits(x[:, :-1], train).transpose(1, 2)        # batch, vocab, time
        return (self.loss(logits, x[:, 1:]), logits) if train else logits

    def next_word_logits(self, x, train=False):
        """x (batch, time) -> logits (batch, time, vocab), going on from the state of the last call."""
        return self.decoder(self.run_layers(self.embedding.weight, train, x))

    def score(self, x, lengths=None, train=True):
        """Loss and right words of a batch, without keeping the logits.

        Args:
            x: (batch, time + 1) int64, token ids.
            lengths: (batch,) int or None; targets from a review's length on are left out.
            train: whether dropout is applied.

        Returns:
            (loss, correct, targets): summed cross entropy in nats, number of words predicted
            right and number of targets scored, each a scalar tensor.
        """
        self.reset_state()
        h = self.run_layers(self.embedding.weight, train, x[:, :-1])            # batch, time, hidden units
        targets = x[:, 1:]                                                      # batch, time
        if lengths is not None:
            inside = torch.arange(1, x.shape[1], device=x.device) < lengths[:, None]
            h, targets = h[inside], targets[inside]                             # targets, hidden units
        h, targets = h.flatten(0, -2), targets.flatten()                        # targets, hidden units
        loss, correct = linear_cross_entropy(h, self.decoder.weight, self.decoder.bias, targets)
        return loss, correct, torch.full_like(correct, len(targets))
