"""Early stopping: the epoch of the lowest validation loss."""

import copy
import math


class EarlyStopping:
    """Follows the validation loss and keeps the weights of the best epoch.

    Args:
        patience: epochs without a lower loss after which training stops; 0 keeps no weights and never stops.
    """

    def __init__(self, patience):
        self.patience = patience
        self.loss, self.epoch, self.weights = math.inf, 0, None

    def see(self, epoch, loss, model):
        """Take note of an epoch, counted from 1 -> whether to stop after it."""
        if not self.patience:
            return False
        if loss < self.loss:
            self.loss, self.epoch, self.weights = loss, epoch, copy.deepcopy(model.state_dict())
        return epoch - self.epoch >= self.patience

    def state_dict(self):
        return vars(self)

    def load_state_dict(self, state):
        vars(self).update(state)
