"""The assignment's training and testing, to be timed: the loops of tests/reference.py, fed as it feeds them."""

import functools

import numpy as np
import reference
import torch

from common.data.reviews import read_reviews
from common.devices import choose_precision

REFERENCES = {"1a": reference.EmbeddingBOW, "1b": reference.GloveBOW, "2a": reference.EmbeddingRNN,
              "2b": reference.GloveRNN, "3a": reference.LanguageModel, "3c": reference.EmbeddingRNN}


def in_float32(method):
    """A method of the loops, which compute in float32 whatever the precision of ours."""
    @functools.wraps(method)
    def call(loop, *arguments):
        options = loop.training.options
        choose_precision("float32", options.device)
        result = method(loop, *arguments)
        choose_precision(options.precision, options.device)
        return result
    return call


class Loop:
    """The assignment's training and testing of one part, on the same reviews and weights."""

    def __init__(self, part, training):
        self.part, self.training = part, training
        self.device = training.options.device
        # The assignment's language model has a linear decoder alone.
        arguments = {name: value for name, value in training.arguments.items() if name != "cutoffs"}
        self.model = REFERENCES[part](**arguments).to(self.device)
        self.model.load_state_dict(training.model.state_dict())
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(training.model.get_parameter(name).requires_grad)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.001)
        if part in ("1b", "2b"):
            self.glove = np.load(training.options.data / "glove_embeddings.npy")
        self.reviews = {}
        for split in "train", "test":
            reviews, _ = read_reviews(training.options.data, split, vocab_size=training.options.vocab_size)
            self.reviews[split] = reviews.rows()

    def tokens(self, split, count):
        """Tokens of the first reviews of a split."""
        return sum(map(len, self.reviews[split][:count]))

    def inputs(self, split, indices, sequence_length):
        """What the model is called with for a batch of reviews: one crop after the other."""
        labels = self.training.data[split].reviews.labels[indices]
        if self.part == "1a":
            return [self.reviews[split][index] for index in indices.tolist()], labels
        if self.part == "1b":
            means = [self.glove[self.reviews[split][index]].mean(axis=0) for index in indices.tolist()]
            return torch.from_numpy(np.stack(means)).to(self.device), labels
        x = np.zeros((len(indices), sequence_length), np.int64)
        for row, index in zip(x, indices.tolist()):
            review = self.reviews[split][index]
            start = np.random.randint(max(len(review) - sequence_length, 0) + 1)
            crop = review[start:start + sequence_length]
            row[:len(crop)] = crop
        if self.part == "2b":
            return torch.from_numpy(self.glove[x]).to(self.device), labels
        x = torch.from_numpy(x).to(self.device)
        return (x,) if self.part == "3a" else (x, labels)

    @in_float32
    def step(self, indices, sequence_length):
        self.model.train()
        self.optimizer.zero_grad()
        loss, _ = self.model(*self.inputs("train", indices, sequence_length))
        loss.backward()
        self.optimizer.step()
        loss.item()

    @in_float32
    @torch.no_grad()
    def evaluate(self, batches, sequence_length):
        self.model.eval()
        for indices in batches:
            train = {} if self.part in ("1a", "1b") else {"train": False}
            _, logit = self.model(*self.inputs("test", indices, sequence_length), **train)
            (logit >= 0).sum().item()

    @in_float32
    @torch.no_grad()
    def generate(self, length):
        """One review, a word at a time -> its token ids."""
        self.model.eval()
        self.model.reset_state()
        token_ids = [1]
        while len(token_ids) < length:
            embedded = self.model.embedding(torch.tensor(token_ids[-1:], device=self.device))
            logits = self.model.decoder(self.model.step(embedded, train=False))[0]
            probabilities = logits.double().softmax(dim=0).cpu().numpy()
            token_ids.append(np.random.choice(len(probabilities), p=probabilities))
        return token_ids
