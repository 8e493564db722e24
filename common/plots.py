"""Figures as PNG files, the same whatever display or matplotlib style the user has."""

import os
import sys

from common.errors import UserError
from common.files import replace_file

try:
    import matplotlib
except OSError as error:
    raise UserError("matplotlib: needs a folder that it can write to; name one with MPLCONFIGDIR") from error
except ValueError:      # MPLBACKEND is a notebook's that is not installed here, or matplotlibrc is no text
    os.environ.update(MPLBACKEND="agg", MATPLOTLIBRC=os.devnull)
    for name in [name for name in sys.modules if name.startswith("matplotlib.")]:       # half of it is imported
        del sys.modules[name]
    import matplotlib
from matplotlib.figure import Figure

DPI = 144        # half as many again as a page shows of it

# Decorates what draws a figure: a user's matplotlibrc may ask for LaTeX, which may not be there.
plain_style = matplotlib.rc_context({name: value for name, value in matplotlib.rcParamsDefault.items()
                                     if not name.startswith("backend")})


def subplots(rows=1, columns=1, figsize=None, **options):
    """(figure, axes) as from plt.subplots, without pyplot and the display that it would look for."""
    figure = Figure(figsize, layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def save_figure(path, figure):
    """Write a figure; one that cannot be drawn or written costs a line on standard error, and no result."""
    try:
        with replace_file(path, "wb") as file:
            figure.savefig(file, format="png", dpi=DPI)
    except (UserError, RuntimeError, ValueError, MemoryError) as error:
        print(f"{path}: no figure ({' '.join(str(error).split())})", file=sys.stderr)
