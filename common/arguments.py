"""Command lines: options in groups, numbers with bounds, and refusals of one line."""

import argparse
import difflib
import math
import os
import re
from pathlib import Path

from common.errors import UserError


class Parser(argparse.ArgumentParser):
    """Shows its description as written and every option's default; refuses with a UserError.

    Args:
        description: shown by --help.
        epilog: shown below the options.
    """

    def __init__(self, description, epilog=None):
        super().__init__(description=description, usage="%(prog)s [OPTION ...]", epilog=epilog,
                         formatter_class=lambda prog: _HelpFormatter(prog, max_help_position=32), allow_abbrev=False)
        self.add_argument("--debug", action="store_true", help="show the traceback of an error")

    def error(self, message):
        if unknown := re.match("unrecognized arguments: (--[^ =]+)", message):
            if near := difflib.get_close_matches(unknown[1], self._option_string_actions, 1, cutoff=0.75):
                message += f": did you mean {near[0]}?"
        raise UserError(f"{message.removeprefix('argument ')}; see --help")


class _HelpFormatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    def _get_help_string(self, action):
        if action.default is None or action.default is False or action.default == []:
            return action.help
        if isinstance(action.default, list):            # as it is typed
            return f"{action.help} (default: {' '.join(map(str, action.default))})"
        return super()._get_help_string(action)


def number(kind, low, high=math.inf, open_low=False):
    """An argparse type: an int or float from `low` (left out if open_low) to `high`, by default what 64 bits hold."""
    most = min(high, 2 ** 63 - 1) if kind is int else high

    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not (low < value if open_low else low <= value) or value > most or value == math.inf:
            sort = "a whole number" if kind is int else "a number"
            bounds = f"above {low}" if open_low else f"from {low}"
            if high < math.inf or value > most:
                bounds += f" to {most}"
            raise argparse.ArgumentTypeError(f"'{text}' is not {sort} {bounds}")
        return value
    return parse


positive_int = number(int, 1)


def path(text):
    """An argparse type: a path, in which ~ is the home folder. A shell leaves that of `--data=~/x` as it is."""
    if not text:        # such as "$UNSET", which would be the current folder
        raise argparse.ArgumentTypeError("an empty name; give a path")
    return Path(os.path.expanduser(text))
