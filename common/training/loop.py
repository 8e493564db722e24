"""The one training loop of all parts."""

import copy
import math
import time

import torch
from torch import nn

from common.checkpoints import checksum, describe_network, weights_checksum
from common.data.batches import batches_of
from common.data.corpus import describe_data, number_of
from common.devices import autocast, fixed_seed
from common.layers.batch_norm import fix_statistics
from common.layers.ngram_ensemble import Ensemble
from common.processes import processes
from common.results.records import CURVES
from common.training.evaluation import (check_held_out, check_loss, check_weights, evaluate, measure_batch_norm,
                                        metrics)
from common.training.progress import describe, report, show_progress
from common.training.recorded_steps import RecordedSteps, can_record
from common.training.run import run
from common.training.run_folder import RunFolder
from common.training.schedules import after_epoch, build_schedule
from common.training.stop_signals import StopSignals

# What a state to resume from is made of: what has a state of its own, and plain values. The order of an epoch's batches
# is among them, since the random state that it was drawn from has moved on by the time of a save.
STATEFUL = "model", "optimizer", "schedule"
PROGRESS = "epoch", "order", "batches_done", "totals", "early_stopping", "curves"


def sentiment_score(model, batch):
    """Score reviews: what a batch goes through from the loop to the model, whichever classifier it is.

    Args:
        model: a network or an ensemble, called as the assignment calls it; batch: a Batch.

    Returns:
        (summed loss, number correct, number of reviews), scalar tensors.
    """
    loss, logit = model(batch.x, batch.labels, **batch.arguments())
    correct = ((logit.detach() >= 0) == (batch.labels > 0.5)).sum()
    return loss * len(logit), correct, torch.full_like(correct, len(logit))


def next_word_score(model, batch):
    """Score a language model's next words: (summed loss, number correct, number of words), scalar tensors."""
    return model(batch.x, train=model.training, lengths=batch.lengths, keep_logits=False)


class Training:
    """Trains the model of one part.

    Args:
        part: "1a" to "3c"; model: module on options.device; optimizer: of the parameters that learn.
        arguments: of the network's constructor, kept in the checkpoint.
        score: (model, batch) -> (summed loss, number correct, number of predictions), scalar tensors.
        data: dict of "train", "test" and perhaps "validation" ReviewData.
        vocabulary: words whose token ids are 1, 2, ...; options: of parse_options.
        glove: the word vectors that the model reads, (words + 1, dimensions), if it does.
        logger: an object whose log(name, value) is given every epoch's figures, or None.
    """

    def __init__(self, part, model, arguments, optimizer, score, data, vocabulary, options, glove=None, logger=None):
        self.part, self.model, self.arguments, self.options = part, model, arguments, options
        self.parallel = processes.wrap(model)
        self.optimizer, self.score, self.data = optimizer, score, data
        self.network = describe_network(model.network if isinstance(model, Ensemble) else model)
        reviews, test_reviews = data["train"].reviews, data["test"].reviews
        inputs = {"reviews": reviews.checksum(), "test reviews": number_of(test_reviews),
                  "word vectors": checksum(glove), "initial weights": checksum(*model.state_dict().values()),
                  "model file": self.network["source"]}         # what the options do not say, but makes another run
        self.folder = RunFolder(part, options, {"vocabulary": vocabulary, "inputs": inputs},
                                describe_data(options, reviews, test_reviews, glove))
        self.schedule = build_schedule(optimizer, options,
                                       options.epochs * batches_of(len(reviews), options.batch_size))
        self.step = (RecordedSteps(self.launch_step, optimizer) if can_record(data["train"], options)
                     else self.launch_step)
        self.signals, self.logger = StopSignals(), logger
        self.epoch = 0                      # epochs done
        self.order, self.batches_done = None, 0         # indices of the current epoch's batches, None between two
        self.totals = None                  # summed loss, number correct, number of predictions of the current epoch
        self.curves: dict = {name: [] for name in CURVES}       # a value an epoch, NaN where it has none
        # With --patience, of the epoch with the lowest validation loss; epochs count from 1.
        self.early_stopping: dict = {"loss": math.inf, "epoch": 0, "weights": None}
        self.kept_epoch = None              # whose weights the model has at the end of train(), from 1
        self.saved_at = self.started_at = time.monotonic()

    run = run       # of common/training/run.py: train() in the run's folder, from where it was stopped

    def train(self):
        """Train for the epochs that are left -> Metrics of the final weights on the test reviews."""
        options, last = self.options, False
        if getattr(options, "fixed_batch_norm", False):
            fix_statistics(self.model)
            if self.epoch == 0 and self.order is None:      # before the first step
                measure_batch_norm(self)
        while not last:
            started = time.perf_counter()
            train = self.train_epoch()
            if getattr(options, "precise_batch_norm", False):
                measure_batch_norm(self)
            epoch = self.epoch + 1
            validation = self.evaluate("validation", self.signals.watch) if options.validation else None
            if options.patience and validation.loss < self.early_stopping["loss"]:
                self.early_stopping = {"loss": validation.loss, "epoch": epoch,
                                       "weights": copy.deepcopy(self.model.state_dict())}
            last = epoch == options.epochs or 0 < options.patience <= epoch - self.early_stopping["epoch"]
            test = self.evaluate("test", self.signals.watch) if last or epoch % options.test_every == 0 else None
            self.order, self.epoch = None, epoch    # before the save: a run resumed from it begins the next epoch
            report(self, time.perf_counter() - started, train=train, validation=validation, test=test)
            after_epoch(self.schedule)
            if not last:
                self.save_state()           # first: a run that is killed between the two goes on from here
                self.folder.save_model(self.checkpoint(), self.curves, finished=False)      # to be tested meanwhile
        self.kept_epoch = self.early_stopping["epoch"] or self.epoch
        if self.kept_epoch < self.epoch:
            self.model.load_state_dict(self.early_stopping["weights"])
            test = self.evaluate("test")
            print(f"kept the weights of epoch {self.kept_epoch}, the lowest validation loss | {describe('test', test)}")
        return test

    def train_epoch(self):
        """Train on every training review once -> Metrics, averaged over the epoch."""
        options = self.options
        self.parallel.train()
        if self.order is None:
            self.order, self.batches_done = self.data["train"].epoch(options.batch_size), 0
            # Summed on the device: asking for a number would make the loop wait for the GPU.
            self.totals = torch.zeros(3, dtype=torch.float64, device=options.device)
        for indices in self.signals.watch(show_progress(self.order, self.batches_done, self.epoch, options.epochs)):
            self.totals += self.step(indices)
            self.batches_done += 1
            if options.schedule == "one-cycle":
                self.schedule.step()
            if options.device.type == "cpu":        # a GPU would have to be waited for
                check_loss(self)
            if time.monotonic() - self.saved_at > 60 * options.save_minutes:     # a killed run loses minutes, no epoch
                self.save_state()
        check_weights(self)
        return metrics(self.totals)

    def launch_step(self, indices):
        """Train on one batch of reviews; indices (batch,) int64, on the CPU or the device.

        Returns:
            (3,) float64, summed loss, number correct and number of predictions, over all processes.
        """
        batch = self.data["train"].batch(indices)
        self.optimizer.zero_grad()          # before the score: an adversarial one adds gradients itself
        with autocast(self.options):
            loss, correct, count = self.score(self.parallel, batch)
        sums = torch.stack([loss.detach().double(), correct.double(), count.double()])
        if processes.size > 1:
            sums = processes.total(sums)
            loss = loss * processes.size            # their gradients are averaged, and those of the sum are wanted
        (loss / sums[2].to(loss.dtype)).backward()          # of the mean, however unequal the processes are
        if getattr(self.options, "clip_norm", 0):
            nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip_norm)
        self.optimizer.step()
        return sums

    def evaluate(self, split, watch=iter):
        """Metrics on a split, on the same crops each time; the random state is restored after it."""
        options, data = self.options, self.data[split]
        batches = data.batches(4 * options.batch_size)      # without gradients little more memory, and less time
        with fixed_seed(options):
            found = evaluate(self.parallel, self.score, map(data.batch, watch(batches)), options)
        check_held_out(self, split, found.loss)
        return found

    def checkpoint(self):
        """What it takes to build the model again, and to read reviews as in training."""
        state = self.model.state_dict()
        return {"model": state, "weights": weights_checksum(state), "arguments": self.arguments,
                "network": self.network, "crops": self.data["train"].settings,
                "ensemble": self.model.arguments() if isinstance(self.model, Ensemble) else None}

    def save_state(self):
        """Write all that a later run needs to resume from here."""
        check_weights(self)
        self.saved_at = time.monotonic()
        random = {"cpu": torch.get_rng_state()}
        if self.options.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(self.options.device)
        self.folder.save_state({name: getattr(self, name).state_dict() for name in STATEFUL} | {
            name: getattr(self, name) for name in PROGRESS} | {
            "random": random, "seconds": self.saved_at - self.started_at})

    def load_state(self, state):
        """Go on from what save_state wrote."""
        for name in STATEFUL:
            getattr(self, name).load_state_dict(state[name])
        for name in PROGRESS:
            setattr(self, name, state[name])
        self.order = self.order and [indices.cpu() for indices in self.order]   # a state is loaded to the device
        torch.set_rng_state(state["random"]["cpu"].cpu())
        if self.options.device.type == "cuda":
            torch.cuda.set_rng_state(state["random"]["cuda"].cpu(), self.options.device)
        self.started_at -= state["seconds"]
