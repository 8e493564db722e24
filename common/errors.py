"""Errors that the user can put right: one line on standard error and exit status 2."""

import os
import sys


class UserError(Exception):
    """Names the file (and line) or the option, what is wrong, and what to do."""


def run_script(main):
    """Run a script's main() and turn a UserError into one line and exit status 2.

    With --debug on the command line the traceback is shown instead.
    An interrupt (Ctrl-C) ends with status 130 and one line, as a shell expects.
    A reader that closes the pipe early (`| head`) ends the script without a word, with the
    status of a process that SIGPIPE ended: the work is not done.
    """
    try:
        main()
        sys.stdout.flush()
    except UserError as error:
        if "--debug" in sys.argv:
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # Python flushes standard output once more at exit; give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + 13)
