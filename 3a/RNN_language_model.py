"""Part 3a: LSTM language model."""

import torch
from torch import nn

from common.layers.batch_norm import TimestepBatchNorm
from common.layers.decoders import AdaptiveDecoder, LinearDecoder
from common.layers.locked_dropout import LockedDropout
from common.layers.stateful_lstm import LSTMLayers, StatefulLSTM, distinct_words


class RNN_language_model(LSTMLayers):
    """Embedding, LSTM layers and a decoder to the next word (assignment, part 3a).

    Args:
        vocab_size: number of embeddings and of output words, the unknown token's included.
        no_of_hidden_units: width of the embedding and of every LSTM layer.
        dropout: probability that a hidden unit is dropped in training.
        lstm_layers: number of LSTM layers; the assignment has three.
        cutoffs: of AdaptiveDecoder; without any the decoder is linear, as in the assignment.
    """

    def __init__(self, vocab_size, no_of_hidden_units, dropout=0.3, lstm_layers=3, cutoffs=()):
        super().__init__()
        self.vocab_size, self.lstm_layers = vocab_size, lstm_layers
        self.embedding = nn.Embedding(vocab_size, no_of_hidden_units)
        for k in range(1, lstm_layers + 1):     # lstm1, bn_lstm1, dropout1, lstm2, ...
            setattr(self, f"lstm{k}", StatefulLSTM(no_of_hidden_units, no_of_hidden_units))
            setattr(self, f"bn_lstm{k}", TimestepBatchNorm(no_of_hidden_units))
            setattr(self, f"dropout{k}", LockedDropout(dropout))
        self.decoder = (AdaptiveDecoder(no_of_hidden_units, vocab_size, cutoffs) if cutoffs else
                        LinearDecoder(no_of_hidden_units, vocab_size))
        self.loss = nn.CrossEntropyLoss()

    def forward(self, x, train=True, lengths=None, keep_logits=True):
        """Predict each word from the words before it.

        Args:
            x: (batch, time + 1) int64, token ids.
            train: whether dropout is applied and the loss computed.
            keep_logits: whether the logits are wanted; without them the call is score(x, lengths, train).

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
        return self.decoder(self.hidden_units(x, train))

    def hidden_units(self, x, train):
        """x (batch, time) -> output of the last LSTM layer (batch, time, hidden units), from the state on."""
        words, positions = distinct_words(x)    # on a CPU, so that the first layer multiplies each word once
        h = self.embedding(words)                                               # words, hidden units
        for lstm, batch_norm, dropout in self.layers:
            h = dropout(batch_norm(lstm(h, positions)), train=train)            # batch, time, hidden units
            positions = None
        return h

    def score(self, x, lengths=None, train=True):
        """Loss and accuracy on a batch, without keeping the logits.

        Args:
            x: (batch, time + 1) int64, token ids.
            lengths: (batch,) int or None; targets from a review's length on are left out.
            train: whether dropout is applied.

        Returns:
            (loss, correct, targets): summed cross entropy in nats, number of words predicted
            correctly and number of targets, each a scalar tensor.
        """
        self.reset_state()
        h = self.hidden_units(x[:, :-1], train).flatten(0, 1)                   # targets, hidden units
        targets = x[:, 1:].flatten()                                            # targets
        if lengths is None:
            counts, total = None, torch.full((), len(targets), device=x.device)
        else:
            counts = (torch.arange(1, x.shape[1], device=x.device) < lengths[:, None]).flatten()
            total = counts.sum()
        loss, correct = self.decoder.score(h, targets, counts)
        return loss, correct, total
