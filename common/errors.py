"""Errors that the user can put right: one line on standard error and exit status 2."""

import errno
import os
import sys


class UserError(Exception):
    """Names the file (and line) or the option, what is wrong, and what to do."""


def is_out_of_memory(error):
    """Whether NumPy (MemoryError) or torch (RuntimeError, on a CPU or a GPU) could not get the memory it asked for."""
    signs = "out of memory", "can't allocate memory", "Storage size calculation overflowed"
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in signs)


def run_script(main):
    """Run a script's main() and turn a UserError into one line and exit status 2.

    So does a model or batch that the memory cannot hold.
    With --debug on the command line the traceback is shown instead.
    An interrupt (Ctrl-C) ends with status 130 and one line, as a shell expects.
    A reader that closes the pipe early (`| head`) ends the script without a word, with the
    status of a process that SIGPIPE ended: the work is not done.
    """
    # A service may start a script with closed streams.
    sys.stdin = sys.stdin or open(os.devnull)
    sys.stdout = sys.stdout or open(os.devnull, "w")
    sys.stderr = sys.stderr or open(os.devnull, "w")
    # A terminal or log that knows only ASCII should not end a run at the first accented letter; a notebook's knows all.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        main()
        sys.stdout.flush()
    except (UserError, MemoryError, RuntimeError) as error:
        if "--debug" in sys.argv or not isinstance(error, UserError) and not is_out_of_memory(error):
            raise
        text = str(error) if isinstance(error, UserError) else (
            "out of memory: use a smaller --batch-size, --sequence-length, --hidden-units or --vocab-size")
        print(f"error: {' '.join(text.split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # Python flushes standard output once more at exit; give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + 13)
    except OSError as error:
        # A script's files raise UserErrors, so this is its log.
        if "--debug" in sys.argv or error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"error: standard output: cannot be written ({error.strerror}); what was saved is kept: make room and "
              "start again", file=sys.stderr)
        sys.exit(2)
