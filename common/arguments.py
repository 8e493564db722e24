"""Command lines: options in groups, numbers with bounds, and refusals of one line."""

import argparse
import math
import shlex

from common.errors import UserError


class Parser(argparse.ArgumentParser):
    """Shows its description as written and every option's default; refuses with a UserError.

    Args:
        description: shown by --help.
        files: whether @FILE on the command line stands for the options in a file, where # starts a comment.
    """

    def __init__(self, description, files=False):
        super().__init__(description=description, usage="%(prog)s [OPTION ...]" + " [@FILE ...]" * files,
                         formatter_class=_HelpFormatter, allow_abbrev=False,
                         fromfile_prefix_chars="@" if files else None)
        self.groups = {}
        self.add_argument("--debug", action="store_true", help="show the traceback of an error")

    def group(self, title):
        """The group of that title, made at the first call."""
        if title not in self.groups:
            self.groups[title] = self.add_argument_group(title)
        return self.groups[title]

    def convert_arg_line_to_args(self, line):
        return shlex.split(line, comments=True)

    def error(self, message):
        raise UserError(f"{message.removeprefix('argument ')}; see --help")


class _HelpFormatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    def __init__(self, prog):
        super().__init__(prog, max_help_position=32)

    def _get_help_string(self, action):
        nothing = action.default is None or action.default is False or action.default == []
        return action.help if nothing else super()._get_help_string(action)


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
