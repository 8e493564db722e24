"""A run of a part in its folder: trained, stopped by signals, resumed where it was, and its results written."""

import sys
import time

from common.devices import describe_run, keep_freed_memory
from common.errors import UserError, is_out_of_memory
from common.processes import processes
from common.training.stop_signals import Stopped

# EX_TEMPFAIL of sysexits.h: not an error, but not done either. A batch script requeues on it.
EXIT_STOPPED = 75


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
