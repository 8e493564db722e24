"""Refuses to go on with a loss or a weight that is NaN or infinite."""

import math
import sys

import torch

from common.errors import UserError


class FiniteCheck:
    """Looks at the losses of the steps since its last look, and at the weights.

    Args:
        model: whose weights are looked at; options: of parse_options.
        kept: () -> paths of the files that hold earlier weights.
    """

    def __init__(self, model, options, kept):
        self.model, self.options, self.kept = model, options, kept
        self.losses = []

    def note(self, loss):
        """Take note of a step's loss, a scalar tensor; no number is asked of the device."""
        self.losses.append(loss)

    def losses_of(self, epoch, steps):
        """Look at the losses noted; `steps` of the epoch are done.

        Raises:
            UserError: names the step of the first loss that is not finite.
        """
        losses = torch.stack(self.losses).tolist() if self.losses else []
        for step, loss in enumerate(losses, steps - len(losses) + 1):
            if not math.isfinite(loss):
                self.refuse(f"the training loss became {loss} at step {step} of epoch {epoch}")
        self.losses.clear()

    def weights_of(self, epoch, steps):
        """Look at the losses noted and at the weights, which a gradient may make infinite before any loss is.

        Raises:
            UserError: names the step.
        """
        self.losses_of(epoch, steps)
        if not all(torch.stack([weight.isfinite().all() for weight in self.model.parameters()]).tolist()):
            self.refuse(f"a weight became infinite by step {steps} of epoch {epoch}")

    def held_out(self, split, loss, epoch):
        """Look at the loss on held-out reviews.

        Raises:
            UserError: it, or the perplexity, is not finite.
        """
        if not math.isfinite(loss) or loss > math.log(sys.float_info.max):
            self.refuse(f"the {split} loss became {loss} in epoch {epoch}")

    def refuse(self, reason):
        kept = self.kept()
        raise UserError(f"--learning-rate {self.options.learning_rate:g}: {reason}; use a smaller one with --restart"
                        + (f" ({kept[0]} holds the last good weights)" if kept else ""))
