"""Word vectors that the layer after them looks up, and an embedding that gives them so."""

import dataclasses

import torch
from torch import nn
from torch.nn import functional as F


@dataclasses.dataclass(frozen=True)
class WordVectors:
    """The vectors of a batch's words, not looked up yet: a sequence (batch, time, features).

    table: (words, features) float, the vectors of all words; token_ids: (batch, time) int64.
    """

    table: torch.Tensor
    token_ids: torch.Tensor

    def look_up(self):
        """(batch, time, features)."""
        return F.embedding(self.token_ids, self.table)

    def multiply_once(self):
        """Whether to multiply each word's vector with a layer's weights once, and not wherever the word stands.

        That is half of the arithmetic of an evaluation. The loop over timesteps that it takes is no slower
        than torch's on a CPU, but much slower than cuDNN's.
        """
        return self.table.device.type == "cpu" and not torch.is_grad_enabled()


class WordEmbedding(nn.Embedding):
    """nn.Embedding whose output the LSTM layer after it looks up: token ids (batch, time) -> WordVectors."""

    @torch.no_grad()
    def start_from(self, vectors):
        """Start from vectors (words, dimensions), each dimension to mean 0 and standard deviation 1.

        That is how nn.Embedding draws weights. Words whose vector is zeros, and dimensions beyond the vectors', keep
        those that were drawn.
        """
        known = vectors.any(dim=1)                                              # words
        deviation, mean = torch.std_mean(vectors[known], dim=0, correction=0)
        standardised = (vectors[known] - mean) / deviation.clamp(min=1e-12)
        width = min(vectors.shape[1], self.embedding_dim)
        self.weight[known, :width] = standardised[:, :width]

    def forward(self, token_ids):
        return WordVectors(self.weight, token_ids)
