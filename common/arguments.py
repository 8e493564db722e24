"""Command lines: numbers with bounds, and refusals of one line."""

import argparse
import math

from common.errors import UserError


class Parser(argparse.ArgumentParser):
    """Shows its description as written and every option's default; refuses with a UserError."""

    def __init__(self, description):
        super().__init__(description=description, formatter_class=_HelpFormatter, allow_abbrev=False)
        self.add_argument("--debug", action="store_true", help="show the traceback of an error")

    def error(self, message):
        raise UserError(f"{message.removeprefix('argument ')}; see --help")


class _HelpFormatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    pass


def number(kind, low, high=math.inf, open_low=False):
    """An argparse type: an int or float from `low` (left out if open_low) to `high`."""
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not (low < value if open_low else low <= value) or not value <= high or value == math.inf:
            sort = "a whole number" if kind is int else "a number"
            bounds = (f"above {low}" if open_low else f"from {low}") + ("" if math.isinf(high) else f" to {high}")
            raise argparse.ArgumentTypeError(f"'{text}' is not {sort} {bounds}")
        return value
    return parse


positive_int = number(int, 1)
