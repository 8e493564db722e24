"""The one training loop of all parts."""

import copy
import math
import time

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from common.checkpoints import save_checkpoint
from common.errors import UserError
from common.evaluation import autocast, evaluate, in_order, metrics, shuffled
from common.files import replace_file
from common.options import describe_run, plain_options
from common.reports import save_curves

CURVES = ["train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy",
          "elapsed_s"]


def build_optimizer(parameters, options):
    """Adam, or SGD with momentum 0.9, as the options ask for."""
    if options.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=options.learning_rate, fused=True)
    return torch.optim.SGD(parameters, lr=options.learning_rate, momentum=0.9, fused=True)


def build_scheduler(optimizer, options):
    """Learning-rate schedule; its step() takes the loss that a plateau is judged by."""
    if options.schedule == "plateau":
        return torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=1)
    step_size = options.step_epochs if options.schedule == "step" else options.epochs
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=step_size, gamma=0.1)
    scheduler.step = lambda loss, step=scheduler.step: step()
    return scheduler


class Training:
    """A run of one part: trains a model, follows its curves, and writes what comes of it.

    Args:
        part: "1a" to "3c".
        file_name: name of the checkpoint, such as "rnn.model".
        model: module on options.device.
        arguments: the model's constructor arguments, kept in the checkpoint.
        parameters: what the optimiser changes, an iterable of parameters or of parameter groups.
        score: (split, indices) -> (summed loss, right answers, answers) as scalar tensors, for
            split "train", "validation" or "test".
        reviews: dict of Reviews by split.
        vocabulary: words whose token ids are 1, 2, ...
        options: of parse_options.
        glove: the word vectors that the model reads, (words + 1, dimensions), if it does.
    """

    def __init__(self, part, file_name, model, arguments, parameters, score, reviews, vocabulary, options,
                 glove=None):
        self.part, self.file_name = part, file_name
        self.model, self.arguments, self.vocabulary, self.glove = model, arguments, vocabulary, glove
        self.score, self.reviews, self.options = score, reviews, options
        self.parameters = list(parameters)
        self.optimizer = build_optimizer(self.parameters, options)
        self.scheduler = build_scheduler(self.optimizer, options)
        self.curves = {name: [] for name in CURVES}

    def run(self):
        """Train for options.epochs, report every epoch, and save checkpoint, data.npy and curves.png.

        Returns:
            Metrics of the final weights on the test reviews.
        """
        options = self.options
        print(f"part {self.part} | {describe_run(options)}")
        print(f"{len(self.reviews['train']):,} training reviews, {len(self.vocabulary):,} words, "
              f"{sum(p.numel() for p in self.model.parameters()):,} parameters", flush=True)
        best_loss, best_epoch, best_weights = math.inf, 0, None
        for epoch in range(1, options.epochs + 1):
            started = time.perf_counter()
            train = self.train_epoch(epoch)
            if not math.isfinite(train.loss):
                raise UserError(f"--learning-rate {options.learning_rate:g}: the training loss became {train.loss} "
                                f"in epoch {epoch}; use a smaller one")
            validation = test = None
            if options.validation:
                validation = self.evaluate("validation")
                if validation.loss < best_loss:
                    best_loss, best_epoch = validation.loss, epoch
                    best_weights = copy.deepcopy(self.model.state_dict()) if options.patience else None
            last = epoch == options.epochs or (options.patience and epoch - best_epoch >= options.patience)
            if last or epoch % options.test_every == 0:
                test = self.evaluate("test")
            self.record(train, validation, test, time.perf_counter() - started)
            self.scheduler.step((validation or train).loss)
            if last:
                break
            if epoch % options.save_every == 0:
                self.save()
        if best_weights is not None and best_epoch < epoch:
            self.model.load_state_dict(best_weights)
            test = self.evaluate("test")
            print(f"kept the weights of epoch {best_epoch}, the lowest validation loss | "
                  f"test loss {test.loss:.4f} accuracy {100 * test.accuracy:.2f} %")
        self.save()
        save_curves(options.output / "curves.png", f"Part {self.part}", self.curves)
        print(f"wrote {options.output / self.file_name}, data.npy and curves.png")
        return test

    def train_epoch(self, epoch):
        """See every training review once -> Metrics, averaged over the epoch."""
        options = self.options
        self.model.train()
        started = time.perf_counter()
        # Summed on the device: asking for a number would make the loop wait for the GPU.
        totals = torch.zeros(3, dtype=torch.float64, device=options.device)
        batches = shuffled(len(self.reviews["train"]), options.batch_size, options.device)
        for indices in tqdm(batches, desc=f"epoch {epoch}", leave=False, disable=None):
            self.optimizer.zero_grad()
            with autocast(options):
                loss, correct, count = self.score("train", indices)
            (loss / count).backward()
            if options.clip_norm:
                nn.utils.clip_grad_norm_(self.model.parameters(), options.clip_norm)
            self.optimizer.step()
            totals += torch.stack([loss.detach().double(), correct.double(), count.double()])
        return metrics(totals, started)

    def evaluate(self, split):
        batches = in_order(len(self.reviews[split]), self.options.batch_size, self.options.device)
        return evaluate(self.model, lambda indices: self.score(split, indices), batches, self.options)

    def record(self, train, validation, test, elapsed_s):
        """Add an epoch to the curves and print its line."""
        for split, found in ("train", train), ("validation", validation), ("test", test):
            self.curves[split + "_loss"].append(found.loss if found else math.nan)
            self.curves[split + "_accuracy"].append(found.accuracy if found else math.nan)
        self.curves["elapsed_s"].append(elapsed_s)
        parts = [f"epoch {len(self.curves['elapsed_s']):2d}/{self.options.epochs}"]
        parts += [f"{split} loss {found.loss:.4f} accuracy {100 * found.accuracy:.2f} %"
                  for split, found in (("train", train), ("validation", validation), ("test", test)) if found]
        print(" | ".join(parts + [f"{elapsed_s:.1f} s"]), flush=True)

    def save(self):
        """Write the checkpoint and data.npy: train loss, train accuracy and test accuracy by epoch."""
        output = self.options.output
        save_checkpoint(output / self.file_name, self.part, self.model, self.arguments, self.vocabulary, self.glove,
                        plain_options(self.options), self.curves)
        with replace_file(output / "data.npy", "wb") as file:
            np.save(file, np.array([self.curves[name] for name in ("train_loss", "train_accuracy", "test_accuracy")]))
