"""Part 3c: the language model's LSTM layers, fine-tuned to tell the sentiment."""

import torch
from torch import nn

from common.layers.lstm import LSTMClassifier


class RNN_model(LSTMClassifier):
    """Three LSTM layers that start from a language model's weights (assignment, part 3c).

    Args:
        vocab_size: number of embeddings, the unknown token's included.
        no_of_hidden_units: width of the embedding and of every LSTM layer.
        lstm_layers: number of LSTM layers; the assignment has three.
        dropout: probability that a hidden unit is dropped in training.
        pooling: "max" or "mean" over the timesteps.
        ngrams: words of the longest n-grams that count beside the network (NGrams); 0 has none.
    """

    def __init__(self, vocab_size, no_of_hidden_units, lstm_layers=3, dropout=0.5, pooling="max", ngrams=0):
        super().__init__(no_of_hidden_units, no_of_hidden_units, lstm_layers, dropout, pooling, ngrams)
        self.embedding = nn.Embedding(vocab_size, no_of_hidden_units)

    def load_language_model(self, state_dict):
        """Take embedding, LSTM and batch-norm weights of an RNN_language_model's state_dict.

        Words that the language model does not know begin as what they were to it, the unknown token.
        """
        own = {name: tensor for name, tensor in state_dict.items() if not name.startswith("decoder.")}
        known = own["embedding.weight"]                                         # words of the language model, features
        unknown = known[:1].expand(self.embedding.num_embeddings - len(known), -1)
        own["embedding.weight"] = torch.cat([known, unknown])
        missing, unexpected = self.load_state_dict(own, strict=False)
        assert not unexpected and {name.split(".")[0] for name in missing} <= {"fc_output", "ngrams"}

    def layers_to_train(self, fine_tune):
        """What learns: an nn.ModuleList for each layer, from the first to the last.

        Args:
            fine_tune: "last" for the last LSTM layer with its batch normalisation (the assignment's choice),
                "lstm" for all LSTM layers, "all" for the embedding too. The output and the n-grams, which
                belong to the last layer here, always learn.
        """
        first = {"last": self.lstm_layers, "lstm": 1, "all": 1}[fine_tune]
        layers = [[self.embedding]] if fine_tune == "all" else []
        for k in range(first, self.lstm_layers + 1):
            layers.append([self.get_submodule(f"lstm{k}"), self.get_submodule(f"bn_lstm{k}")])
        layers[-1] += [self.fc_output] + ([self.ngrams] if self.ngrams else [])
        return [nn.ModuleList(layer) for layer in layers]

    def forward(self, x, t, train=True, lengths=None):
        """x (batch, time) token ids, t (batch,) labels -> (loss, logit); see LSTMClassifier.classify."""
        return self.classify(self.embedding.weight, t, train, lengths, token_ids=x)
