"""Signals that ask a run to stop, noted until a batch is done."""

import signal
import threading

from common.processes import processes

# What batch systems send before they end a job, and SIGHUP, the end of a terminal or its connection; Windows has few.
SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGHUP")
           if hasattr(signal, name)]


class Stopped(Exception):
    """The run was asked to stop by a signal."""


class StopSignals:
    """While entered, SIGNALS are noted; a SIGINT after any of them stops at once.

    Outside of the main thread, as in some notebooks and services, no signals can be noted.

    received: name of the signal that came to this process, or None.
    """

    def __init__(self):
        self.received = None

    def __enter__(self):
        handled = SIGNALS if threading.current_thread() is threading.main_thread() else []
        # What is ignored from outside, as nohup does with SIGHUP, stays ignored.
        self.previous = {number: signal.signal(number, self._note) for number in handled
                         if signal.getsignal(number) != signal.SIG_IGN}
        return self

    def __exit__(self, *_):
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        self.received = None

    def _note(self, number, _):
        if number == signal.SIGINT and self.received:
            raise KeyboardInterrupt
        self.received = signal.Signals(number).name

    def watch(self, batches):
        """Yield the batches; once one is done with and a signal has come, raise Stopped."""
        for batch in batches:
            yield batch
            if processes.any(self.received):
                raise Stopped
