"""The one training loop of all parts."""

import contextlib
import copy
import math
import sys
import time

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from common.checkpoints import checksum, load_checkpoint, save_checkpoint, write_checkpoint
from common.errors import UserError, is_out_of_memory
from common.training.evaluation import autocast, batches_of, evaluate, in_order, metrics, nearly_equal
from common.results.figures import save_curves
from common.files import claim_folder, remove_unfinished, replace_file
from common.options import describe_run, plain_options
from common.processes import processes
from common.results.records import write_record
from common.training.stopping import EXIT_STOPPED, Stopped, StopSignals

CURVES = ["train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy"]
# Options that may differ between a stopped run and the one that goes on.
PLACES = {"data", "output", "language_model", "restart", "debug", "save_minutes"}


def build_optimizer(parameters, options):
    """Adam, or SGD with momentum 0.9, as the options ask for."""
    if options.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=options.learning_rate, fused=True)
    return torch.optim.SGD(parameters, lr=options.learning_rate, momentum=0.9, fused=True)


def build_schedule(optimizer, options, steps):
    """The scheduler of --schedule plateau, or of one-cycle over a training of so many steps (Smith 2018); else None."""
    if options.schedule == "one-cycle":
        rates = [group["lr"] for group in optimizer.param_groups]
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps)
    if options.schedule == "plateau":
        return torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=1)
    return None


def random_states(device):
    """States of the random number generators that the device's run draws from."""
    return {"cpu": torch.get_rng_state()} | (
        {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def set_random_states(states, device):
    torch.set_rng_state(states["cpu"].cpu())
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"].cpu(), device)


class Training:
    """A run of one part: trains a model, follows its curves, and writes what comes of it.

    A run that was stopped or killed goes on when it is started again with the same options, and
    ends with the same bytes as one that was not (on one machine's CPU).

    Args:
        part: "1a" to "3c".
        file_name: name of the checkpoint, such as "rnn.model".
        model: module on options.device.
        arguments: the model's constructor arguments, kept in the checkpoint.
        parameters: what the optimiser changes, an iterable of parameters or of dicts, as torch.optim takes them.
        score: (split, indices) -> (summed loss, right answers, answers) as scalar tensors, for
            split "train", "validation" or "test".
        reviews: dict of Reviews by split.
        vocabulary: words whose token ids are 1, 2, ...
        options: of parse_options.
        glove: the word vectors that the model reads, (words + 1, dimensions), if it does.
        logger: an object whose log(name, value) is given every epoch's figures, or None.
    """

    def __init__(self, part, file_name, model, arguments, parameters, score, reviews, vocabulary, options,
                 glove=None, logger=None):
        self.part = part
        self.model_path = options.output / file_name
        self.data_path = options.output / "data.npy"
        self.curves_path = options.output / "curves.png"
        self.record_path = options.output / "record.json"
        self.table_paths = [options.output / "test_table.csv", options.output / "test_table.png"]
        self.state_path = options.output / "training.state"
        self.previous_path = options.output / "training.previous.state"
        self.model, self.arguments, self.vocabulary = model, arguments, vocabulary
        self.score, self.reviews, self.options, self.logger = score, reviews, options, logger
        self.keeps_best = bool(options.patience) or options.keep != "last"
        # What the options do not say: other reviews, word vectors or starting weights make another run.
        self.inputs = {"reviews": reviews["train"].checksum(), "glove": checksum(glove),
                       "weights": checksum(*model.state_dict().values())}
        self.optimizer = build_optimizer(parameters, options)
        steps = options.epochs * batches_of(len(reviews["train"]), options.batch_size)
        self.schedule = build_schedule(self.optimizer, options, steps)
        self.signals = StopSignals()
        self.saved_at = self.started_at = time.monotonic()
        self.curves = {name: [] for name in CURVES}
        self.epoch = 0                      # epochs done
        self.order = None                   # reviews of the epoch at hand (reviews,), None between two epochs
        self.batches_done = 0
        self.totals = None                  # summed loss, right answers, answers of the epoch at hand
        self.step_losses = []               # of the steps not yet looked at
        self.best_error, self.best_epoch, self.best_weights = math.inf, 0, None

    def run(self):
        """Train for options.epochs, report every epoch, and save checkpoint, data.npy, record.json and curves.png.

        Ends the script with EXIT_STOPPED when a signal asks to stop, after saving all that is
        needed to go on.

        Returns:
            Metrics of the final weights on the test reviews.

        Raises:
            UserError: another run is at work in the folder, or was with other options; the loss
                is no number any more; a file cannot be written.
        """
        if len(self.reviews["test"]) < processes.size or self.options.batch_size < 2 * processes.size:
            raise UserError(f"--batch-size {self.options.batch_size}: too small a batch, or too few reviews, for "
                            f"{processes.size} processes; start fewer with --nproc_per_node")
        try:
            with claim_folder(self.options.output) if processes.rank == 0 else contextlib.nullcontext():
                return self.run_alone()
        except RuntimeError as error:
            if processes.size == 1 or is_out_of_memory(error):
                raise
            raise UserError(f"torchrun: a process of this run failed ({error}); what was saved last is kept: "
                            "start again with the same options to go on") from error
        finally:
            processes.leave()

    def run_alone(self):
        """run(), in a folder that no other run writes to."""
        print(f"part {self.part} | {describe_run(self.options)}")
        print(f"{len(self.reviews['train']):,} training reviews, {len(self.vocabulary):,} words, "
              f"{sum(p.numel() for p in self.model.parameters()):,} parameters", flush=True)
        if processes.rank == 0:
            for path in self.state_path, self.model_path, self.data_path, self.curves_path, self.record_path:
                remove_unfinished(path)
            if self.options.restart:
                self.remove_results()
        processes.wait_for_all()
        if self.already_trained():
            return self.evaluate("test")
        processes.wait_for_all()
        if processes.rank == 0 and not self.states():
            self.remove_results()
        with self.signals:
            self.resume()
            try:
                test = self.train()
            except Stopped:
                self.save_state()
                print(f"stopped by {self.signals.received or 'another process'} in epoch {self.epoch + 1}; "
                      "start again with the same options to go on", flush=True)
                sys.exit(EXIT_STOPPED)
            # From here on it is quicker to end than to stop.
            if self.best_weights is not None and self.best_epoch < self.epoch:
                self.model.load_state_dict(self.best_weights)
                test = self.evaluate("test")
                best = "highest validation accuracy" if self.options.keep == "accuracy" else "lowest validation loss"
                print(f"kept the weights of epoch {self.best_epoch}, the {best} | "
                      f"test loss {test.loss:.4f} accuracy {100 * test.accuracy:.2f} %")
            if processes.rank == 0:
                for path in self.table_paths:                                    # of a model on its way here
                    path.unlink(missing_ok=True)
                write_record(self.record_path, self.part, self.fixed_options(), self.options.device,
                             time.monotonic() - self.started_at, self.curves)
                self.save(finished=True)
                save_curves(self.curves_path, f"Part {self.part}", self.curves)
                for path in self.state_path, self.previous_path:
                    path.unlink(missing_ok=True)
            processes.wait_for_all()
        print(f"wrote {self.model_path}, data.npy, record.json and curves.png")
        accuracies = self.curves["validation_accuracy"]
        best = f" | best validation accuracy {100 * max(accuracies):.2f} %" if self.options.validation else ""
        print(f"took {time.monotonic() - self.started_at:.1f} s{best}")
        return test

    def train(self):
        """Train for the epochs that are left -> Metrics on the test reviews after the last."""
        options = self.options
        last = False
        while not last:
            started = time.perf_counter()
            train = self.train_epoch()
            validation, test, last = self.evaluate_epoch()
            self.order = None
            self.epoch += 1
            self.record(train, validation, test, time.perf_counter() - started)
            self.follow_schedule((validation or train).loss)
            if not last:
                self.save_state()
                if self.epoch % options.save_every == 0 and processes.rank == 0:
                    self.save()
        return test

    def train_epoch(self):
        """See every training review once -> Metrics, averaged over the epoch."""
        options = self.options
        self.model.train()
        started = time.perf_counter()
        if self.order is None:
            self.order = torch.randperm(len(self.reviews["train"]), device=options.device)
            self.batches_done = 0
            # Summed on the device: asking for a number would make the loop wait for the GPU.
            self.totals = torch.zeros(3, dtype=torch.float64, device=options.device)
        batches = nearly_equal(self.order, options.batch_size)
        progress = tqdm(batches[self.batches_done:], desc=f"epoch {self.epoch + 1}", initial=self.batches_done,
                        total=len(batches), leave=False, disable=processes.rank > 0 or None)
        for indices in self.signals.watch(progress):
            sums = self.step(indices)
            self.totals += sums
            self.step_losses.append(sums[0])
            self.batches_done += 1
            if options.device.type == "cpu":        # a GPU would have to be waited for
                self.check_losses()
            if options.validation and options.validate_every and self.batches_done % options.validate_every == 0:
                self.validate_within_epoch()
            if time.monotonic() - self.saved_at > 60 * options.save_minutes:
                self.save_state()
        self.check_weights()
        return metrics(self.totals, started)

    def validate_within_epoch(self):
        """Print the validation figures."""
        found = self.evaluate("validation")
        self.model.train()
        tqdm.write(f"epoch {self.epoch + 1:2d}/{self.options.epochs} step {self.batches_done} | validation loss "
                   f"{found.loss:.4f} accuracy {100 * found.accuracy:.2f} %")

    def step(self, indices):
        """Learn from one batch of training reviews.

        Args:
            indices: (batch,) int64.

        Returns:
            (3,) float64, summed loss, right answers and answers.
        """
        self.optimizer.zero_grad()
        processes.batch_size = len(indices)
        with autocast(self.options):
            loss, correct, count = self.score("train", indices)
        sums = processes.total(torch.stack([loss.detach().double(), correct.double(), count.double()]))
        # Gradients are averaged over the processes, and those of the sum are wanted.
        (loss * processes.size / sums[2].to(loss.dtype)).backward()
        if self.options.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip_norm)
        self.optimizer.step()
        if self.options.schedule == "one-cycle":
            self.schedule.step()
        return sums

    def check_losses(self):
        """Refuse to go on after a step whose loss is no number.

        Raises:
            UserError: names the step.
        """
        losses = torch.stack(self.step_losses).tolist() if self.step_losses else []
        for step, loss in enumerate(losses, self.batches_done - len(losses) + 1):
            if not math.isfinite(loss):
                self.refuse_to_go_on(f"the training loss became {loss} at step {step} of epoch {self.epoch + 1}")
        self.step_losses.clear()

    def check_weights(self):
        """Refuse to keep weights that are no numbers, which a gradient may be before any loss is.

        Raises:
            UserError: names the step.
        """
        self.check_losses()
        if not all(torch.stack([weight.isfinite().all() for weight in self.model.parameters()]).tolist()):
            self.refuse_to_go_on(f"a weight became infinite by step {self.batches_done} of epoch {self.epoch + 1}")

    def refuse_to_go_on(self, reason):
        kept = [path for path in (self.state_path, self.previous_path, self.model_path) if path.exists()]
        raise UserError(f"--learning-rate {self.options.learning_rate:g}: {reason}; use a smaller one with --restart"
                        + (f" ({kept[0]} holds the last good weights)" if kept else ""))

    def evaluate_epoch(self):
        """Look at the held-out reviews after an epoch -> (validation Metrics, test Metrics, whether it was the last).

        Metrics are None where the options do not ask for them in this epoch.
        """
        options, epoch = self.options, self.epoch + 1
        validation = self.evaluate("validation", self.signals.watch) if options.validation else None
        if validation:
            error = 1 - validation.accuracy if options.keep == "accuracy" else validation.loss
        improved = validation and error < self.best_error
        since_best = 0 if improved else epoch - self.best_epoch
        last = epoch == options.epochs or bool(options.patience and since_best >= options.patience)
        test = self.evaluate("test", self.signals.watch) if last or epoch % options.test_every == 0 else None
        if improved:
            self.best_error, self.best_epoch = error, epoch
            self.best_weights = copy.deepcopy(self.model.state_dict()) if self.keeps_best else None
        return validation, test, last

    def evaluate(self, split, watch=iter):
        """Metrics on a split: the same crops each time, and training goes on as if nobody had looked."""
        options = self.options
        # Without gradients four times the batch takes little more memory, and less time.
        batches = in_order(len(self.reviews[split]), 4 * options.batch_size, options.device)
        with torch.random.fork_rng([options.device] if options.device.type == "cuda" else []):
            torch.manual_seed(options.seed)
            return evaluate(self.model, lambda indices: self.score(split, indices), watch(batches), options)

    def follow_schedule(self, loss):
        """Set the learning rates of the next epoch."""
        if self.options.schedule == "plateau":
            self.schedule.step(loss)
        elif self.options.schedule == "step" and self.epoch % self.options.step_epochs == 0:
            for group in self.optimizer.param_groups:
                group["lr"] /= 10

    def record(self, train, validation, test, elapsed_s):
        """Add an epoch to the curves, print its line, and give its figures to the logger."""
        for split, found in ("train", train), ("validation", validation), ("test", test):
            self.curves[split + "_loss"].append(found.loss if found else math.nan)
            self.curves[split + "_accuracy"].append(found.accuracy if found else math.nan)
        learning_rate = self.optimizer.param_groups[-1]["lr"]
        if self.logger and processes.rank == 0:
            figures = {name: values[-1] for name, values in self.curves.items() if not math.isnan(values[-1])}
            for name, value in (figures | {"learning_rate": learning_rate, "elapsed_s": elapsed_s}).items():
                self.logger.log(name, value)
        parts = [f"epoch {self.epoch:2d}/{self.options.epochs}"]
        for split, found in ("train", train), ("validation", validation), ("test", test):
            if found:
                perplexity = f" perplexity {np.exp(found.loss):.1f}" if self.part == "3a" else ""
                parts.append(f"{split} loss {found.loss:.4f}{perplexity} accuracy {100 * found.accuracy:.2f} %")
        print(" | ".join(parts + [f"learning rate {learning_rate:g}", f"{elapsed_s:.1f} s"]), flush=True)

    def save(self, finished=False):
        """Write the checkpoint and data.npy: train loss, train accuracy and test accuracy by epoch."""
        save_checkpoint(self.model_path, self.part, self.model, self.arguments, self.vocabulary, self.inputs,
                        self.fixed_options(), self.curves, finished)
        with replace_file(self.data_path, "wb") as file:
            np.save(file, np.array([self.curves[name] for name in ("train_loss", "train_accuracy", "test_accuracy")]))

    def fixed_options(self):
        """The options that a run that goes on must share, as plain values."""
        return {name: value for name, value in plain_options(self.options).items() if name not in PLACES}

    def already_trained(self):
        """Whether an earlier run finished with these options and inputs; then its weights are taken.

        Raises:
            UserError: it had other options.
        """
        if self.states() or not self.model_path.exists():
            return False
        checkpoint = load_checkpoint(self.model_path, self.part, self.options.device)
        if not checkpoint["finished"]:
            return False
        self.refuse_other_options(self.model_path, checkpoint["options"])
        if (checkpoint["vocabulary"], checkpoint["inputs"]) != (self.vocabulary, self.inputs):
            print(f"{self.model_path} was trained on other data: training it anew")
            return False
        self.model.load_state_dict(checkpoint["model"])
        print(f"{self.model_path} is trained already; --restart trains it anew")
        return True

    def states(self):
        """The paths of the states that an earlier run left to go on from, the last first."""
        return [path for path in (self.state_path, self.previous_path) if path.exists()]

    def remove_results(self):
        """Take away what an earlier run left, so that nothing of it is taken for this one's."""
        for path in (*self.states(), self.model_path, self.data_path, self.curves_path, self.record_path,
                     *self.table_paths):
            path.unlink(missing_ok=True)

    def refuse_other_options(self, path, before):
        for name, value in self.fixed_options().items():
            option = "--" + name.replace("_", "-")
            if name not in before:
                raise UserError(f"{path}: a run from before there was {option}; start anew with --restart, "
                                "or elsewhere with --output")
            if before[name] != value:
                raise UserError(f"{option} {value}: the run in {path} has {option} {before[name]}; start again "
                                "with that, or anew with --restart, or elsewhere with --output")

    def save_state(self):
        """Write all that a later run needs to go on from here; the state of before is kept beside it."""
        self.check_weights()
        self.saved_at = time.monotonic()
        if processes.rank > 0:
            return
        state = {"options": self.fixed_options(), "inputs": self.inputs, "vocabulary": self.vocabulary,
                 "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                 "schedule": self.schedule and self.schedule.state_dict(), "random": random_states(self.options.device),
                 "curves": self.curves, "epoch": self.epoch, "order": self.order, "batches_done": self.batches_done,
                 "totals": self.totals, "best_error": self.best_error, "best_epoch": self.best_epoch,
                 "best_weights": self.best_weights, "seconds": self.saved_at - self.started_at}
        write_checkpoint(self.state_path, self.part, state, previous=self.previous_path)

    def resume(self):
        """Go on from the state that an earlier run left, or from the one before it if that is broken.

        Raises:
            UserError: there are states, but none can be read, or it is of other options or inputs.
        """
        paths = self.states()
        for path in paths:
            try:
                state = load_checkpoint(path, self.part, self.options.device)
                break
            except UserError as error:
                if path == paths[-1]:
                    raise
                print(f"{error}; going on from {paths[-1]}", file=sys.stderr)
        else:
            return
        self.refuse_other_options(path, state["options"])
        if (state["vocabulary"], state["inputs"]) != (self.vocabulary, self.inputs):
            raise UserError(f"{path}: a run on other reviews, pseudo-labels, word vectors or language model; "
                            "name those that it was started on, or start anew with --restart")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule:
            self.schedule.load_state_dict(state["schedule"])
        for name in ("curves", "epoch", "order", "batches_done", "totals", "best_error", "best_epoch", "best_weights"):
            setattr(self, name, state[name])
        self.started_at -= state["seconds"]
        set_random_states(state["random"], self.options.device)
        print(f"going on in epoch {self.epoch + 1} of a run that was stopped", flush=True)
