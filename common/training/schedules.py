"""Optimisers and learning-rate schedules, as the options ask for them."""

import warnings

import torch
from torch.optim import lr_scheduler

from common.errors import UserError
from common.layers.ngram_ensemble import Ensemble


def build_optimizer(model, options, groups=None):
    """Adam, or SGD with momentum 0.9.

    Args:
        model: a network or an Ensemble, whose n-grams have a learning rate of their own where the options say so.
        groups: of the network's parameters that learn, as torch.optim takes them; None for all at one learning rate.
    """
    ensemble = isinstance(model, Ensemble)
    groups = groups or [{"params": (model.network if ensemble else model).parameters()}]
    if ensemble:        # the n-grams first: the last group's learning rate is shown
        ngrams = {"params": model.ngrams.parameters(), "lr": options.ngram_learning_rate or options.learning_rate}
        groups = [ngrams, *groups]
    # fused: one kernel for all parameters, in place of several for each.
    if options.optimizer == "adam":
        return torch.optim.Adam(groups, lr=options.learning_rate, fused=True)
    return torch.optim.SGD(groups, lr=options.learning_rate, momentum=0.9, fused=True)


def build_schedule(optimizer, options, steps):
    """The learning rate over a training of so many steps, that after_epoch() moves on.

    Raises:
        UserError: a one-cycle schedule of one step.
    """
    if options.schedule == "one-cycle":         # Smith and Topin 2018; the only one that is moved on at each step
        if steps < 2:
            raise UserError("--schedule one-cycle: takes two steps at least to warm up and decay, and this "
                            "training has one; use more --epochs or a smaller --batch-size")
        return lr_scheduler.OneCycleLR(optimizer, [group["lr"] for group in optimizer.param_groups], total_steps=steps)
    # A tenth every step_epochs, as in the assignment's 3a; a gamma of 1 keeps the rate constant.
    return lr_scheduler.StepLR(optimizer, options.step_epochs, gamma=0.1 if options.schedule == "step" else 1)


def after_epoch(schedule):
    """Let a schedule follow an epoch, if it is not one that follows each step."""
    if isinstance(schedule, lr_scheduler.StepLR):
        with warnings.catch_warnings():         # of an epoch that was resumed without a step left to make
            warnings.simplefilter("ignore", UserWarning)
            schedule.step()
