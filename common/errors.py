"""Errors that the user can put right: one line on standard error and exit status 2."""

import errno
import os
import sys


class UserError(Exception):
    """Names the file (and line) or the option, what is wrong, and what to do."""


def is_out_of_memory(error):
    """Whether NumPy, torch (on a CPU or a GPU) or the system could not get the memory that was asked for."""
    signs = ("out of memory", "can't allocate memory", "Storage size calculation overflowed",
             "annot allocate memory", "failed to map segment",                  # these two where a library is loaded
             "invalid RE code")                                                 # NLTK's regex package, without memory
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in signs)


def run_script(main, less_memory="use smaller settings, such as --batch-size or --hidden-units"):
    """Run a script's main() and turn a UserError into one line and exit status 2.

    So does what the memory cannot hold, and a thread or process that the machine's limits do not allow. With --debug on
    the command line the traceback is shown instead. An interrupt (Ctrl-C) ends with status 130 and one line, as a shell
    expects. A reader that closes the pipe early (`| head`) ends the script without a word, with the status of a process
    that SIGPIPE ended: the work is not done.

    Args:
        less_memory: what helps where the memory does not suffice, in options that this script has.
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
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # Python flushes standard output once more at exit; give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + 13)
    except (UserError, MemoryError, RuntimeError, ImportError, OSError) as error:
        text = _explain(error, less_memory)
        if "--debug" in sys.argv or text is None:
            raise
        if isinstance(error, OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())      # it is flushed once more at exit
        print(f"error: {' '.join(text.split())}", file=sys.stderr)
        sys.exit(2)


def _explain(error, less_memory):
    """What an error that the user can put right says, or None for one of the program's own."""
    if isinstance(error, UserError):
        return str(error)
    if is_out_of_memory(error):
        return f"out of memory: {less_memory}, or ask for a machine or a job with more"
    if "can't start new thread" in str(error):
        return ("the limits of this machine allow no more threads or processes (ulimit -u); set OMP_NUM_THREADS=1, "
                "or ask for a job of your own")
    # A script's files raise UserErrors, so this is its log.
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (f"standard output: cannot be written ({error.strerror}); what was saved is kept: make room and "
                "start again")
    return None
