"""A run of a part in its folder: trained, stopped by signals, resumed where it was, and its results written."""

import signal
import sys
import threading
import time

from common.devices import describe_run, keep_freed_memory
from common.errors import UserError, is_out_of_memory
from common.processes import processes

# EX_TEMPFAIL of sysexits.h: not an error, but not done either. A batch script requeues on it.
EXIT_STOPPED = 75

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


def run(training):
    """Run a Training to its end, and write checkpoint, data.npy, record.json and curves.png.

    A run that was stopped or killed is resumed when it is started again with the same options, and
    ends with the same bytes as one that was not (on one machine's CPU). When a signal asks to stop, all
    that is needed to resume is saved, and the script ends with EXIT_STOPPED.

    Returns:
        Metrics of the final weights on the test reviews.

    Raises:
        UserError: another run is at work in the folder, or was with other options; a loss is not finite.
    """
    options = training.options
    fewest = min(len(data.reviews) for data in training.data.values())
    if fewest < processes.size or options.batch_size < 2 * processes.size:
        raise UserError(f"--batch-size {options.batch_size}: too small a batch, or too few reviews, for "
                        f"{processes.size} processes; start fewer with --nproc_per_node")
    try:
        with training.folder.claim():
            return run_in_folder(training)
    except RuntimeError as error:
        if processes.size == 1 or is_out_of_memory(error):
            raise
        raise UserError(f"torchrun: a process of this run failed ({error}); what was saved last is kept: "
                        "start again with the same options to resume") from error
    finally:
        processes.leave()


def run_in_folder(training):
    """run(), where no other run writes to the folder."""
    folder = training.folder
    print(f"part {training.part} | {describe_run(training.options)}")
    print(f"{len(training.data['train'].reviews):,} training reviews, {len(folder.made_from['vocabulary']):,} words, "
          f"{sum(parameter.numel() for parameter in training.model.parameters()):,} parameters", flush=True)
    folder.prepare()
    if checkpoint := folder.trained():
        training.model.load_state_dict(checkpoint["model"])
        return training.evaluate("test")
    folder.start_new()
    keep_freed_memory()                 # only now: building the data frees what should go back to the system
    with training.signals:
        if state := folder.load_state():
            training.load_state(state)
            print(f"resuming in epoch {training.epoch + 1} of a run that was stopped", flush=True)
        try:
            test = training.train()
        except Stopped:
            training.save_state()
            print(f"stopped by {training.signals.received or 'another process'} in epoch {training.epoch + 1}; "
                  "start again with the same options to resume", flush=True)
            sys.exit(EXIT_STOPPED)
        # From here on it is quicker to end than to stop.
        folder.finish(training.checkpoint(), training.curves, time.monotonic() - training.started_at,
                      training.kept_epoch)
    print(f"took {time.monotonic() - training.started_at:.1f} s")
    return test
