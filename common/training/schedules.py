"""Optimisers and learning-rate schedules, as the options ask for them."""

import warnings

import torch
from torch.optim import lr_scheduler

from common.errors import UserError
from common.processes import processes


def build_optimizer(parameters, options):
    """Adam, or SGD with momentum 0.9; parameters as torch.optim takes them."""
    # fused: one kernel for all parameters, in place of several for each.
    if options.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=options.learning_rate, fused=True)
    return torch.optim.SGD(parameters, lr=options.learning_rate, momentum=0.9, fused=True)


def unfreeze(optimizer, options, epoch):
    """With --unfreeze let one parameter group learn in epoch 0, the last, and one more in each epoch after it.

    Raises:
        UserError: there are several processes, each of which waits for the gradients of all weights.
    """
    if not getattr(options, "unfreeze", False):
        return
    if processes.size > 1:
        raise UserError("--unfreeze: trains in one process; start it with python, or leave it out")
    for depth, group in enumerate(reversed(optimizer.param_groups)):
        for parameter in group["params"]:
            parameter.requires_grad_(depth <= epoch)


class Schedule:
    """The learning rate over a training.

    Args:
        optimizer: whose learning rates are set.
        options: of parse_options.
        steps: of the whole training.
    """

    def __init__(self, optimizer, options, steps):
        self.kind = options.schedule
        self.scheduler: lr_scheduler.LRScheduler
        if self.kind == "one-cycle":            # Smith and Topin 2018
            if steps < 2:
                raise UserError("--schedule one-cycle: takes two steps at least to warm up and decay, and this "
                                "training has one; use more --epochs or a smaller --batch-size")
            rates = [group["lr"] for group in optimizer.param_groups]
            self.scheduler = lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps)
        elif self.kind == "plateau":
            self.scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=1)      # two epochs
        elif self.kind == "step":
            self.scheduler = lr_scheduler.StepLR(optimizer, options.step_epochs, gamma=0.1)
        else:
            self.scheduler = lr_scheduler.ConstantLR(optimizer, factor=1)       # so that each has a state to save

    def after_step(self):
        if self.kind == "one-cycle":
            self.scheduler.step()

    def after_epoch(self, loss):
        """Follow an epoch of that validation loss, or of that training loss where none is measured."""
        if self.kind == "plateau":
            self.scheduler.step(loss)
        elif self.kind == "step":
            with warnings.catch_warnings():     # of an epoch that was resumed without a step left to make
                warnings.simplefilter("ignore", UserWarning)
                self.scheduler.step()

    def state_dict(self):
        return self.scheduler.state_dict()

    def load_state_dict(self, state):
        self.scheduler.load_state_dict(state)
