"""The folder of a run: what is written there, what an earlier run left there, and how a run is resumed."""

import contextlib
import os

import numpy as np

from common.checkpoints import load_checkpoint, write_checkpoint
from common.devices import choose_precision, describe_machine
from common.errors import UserError
from common.files import claim_folder, remove_unfinished, replace_file
from common.options import PLACES, plain_options, typed
from common.parts import PARTS
from common.processes import processes
from common.results.figures import save_curves
from common.results.records import read_run, write_record

# What a test script makes of a model.
TABLES = ["test_table.csv", "test_table.png", "predictions.csv", "pseudo_labels.npz", "explanation.html",
          "explanations.json", "model_card.md"]


class RunFolder:
    """The files of one run in options.output: checkpoint, data.npy, record.json, curves.png and the state to resume.

    Of several processes, the first alone writes.

    Args:
        part: "1a" to "3c".
        options: of parse_options.
        made_from: dict of what else decides a run: "vocabulary", a list of words, and "inputs", a dict of checksums.
        data: of describe_data, for the record.
    """

    def __init__(self, part, options, made_from, data):
        self.part, self.options, self.made_from, self.data = part, options, made_from, data
        self.fixed_options = {name: value for name, value in plain_options(options).items() if name not in PLACES}
        folder = options.output
        self.model_path, self.record_path = folder / PARTS[part].model, folder / "record.json"
        self.data_path, self.curves_path = folder / "data.npy", folder / "curves.png"
        self.state_path = folder / "training.state"
        self.restarted_path = folder / ".restarted"             # holds the number of the job that has done so
        self.results = [self.model_path, self.data_path, self.curves_path, self.record_path]
        labels = getattr(options, "pseudo_labels", None)        # they are the teacher's, wherever they lie
        self.tables = [folder / name for name in TABLES
                       if not (labels and (folder / name).resolve() == labels.resolve())]

    def claim(self):
        """A context in which no other run writes to the folder."""
        return claim_folder(self.options.output) if processes.rank == 0 else contextlib.nullcontext()

    def prepare(self):
        """Remove what a killed run had half written, and with --restart all results."""
        self.refuse_other_part()
        if processes.rank == 0:
            for path in self.state_path, *self.results:
                remove_unfinished(path)
            if self.options.restart and not has_restarted(self.restarted_path):
                self.remove(self.state_path, *self.results, *self.tables)
                if "SLURM_JOB_ID" in os.environ:
                    with replace_file(self.restarted_path, durable=False) as file:
                        file.write(os.environ["SLURM_JOB_ID"])
        processes.wait_for_all()

    def refuse_other_part(self):
        """Raise UserError where the results of another part are, whose files have the same names."""
        try:
            other = read_run(self.record_path).part if self.record_path.exists() else self.part
        except UserError:
            if not self.options.restart:
                raise
            return
        if other != self.part:
            raise UserError(f"{self.options.output}: holds the results of part {other}; choose another folder with "
                            "--output")

    def start_new(self):
        """Remove results that would be taken for the new run's, where there is no run to resume."""
        processes.wait_for_all()
        if processes.rank == 0 and not self.state_path.exists():
            self.remove(*self.results, *self.tables)

    def remove(self, *paths):
        for path in paths:
            path.unlink(missing_ok=True)

    def trained(self):
        """The checkpoint of a finished run with these options and inputs, or None.

        Raises:
            UserError: the finished run had other options.
        """
        if self.state_path.exists() or not self.model_path.exists():
            return None
        checkpoint = load_checkpoint(self.model_path, self.part, self.options.device)
        if not checkpoint["finished"]:
            return None
        refuse_other_options(self.model_path, checkpoint["options"], self.fixed_options)
        other = other_inputs(checkpoint, self.made_from)
        if "model file" in other:
            raise UserError(f"{self.model_path}: was trained before its model file was changed; start again with "
                            "--restart, or elsewhere with --output")
        if other:
            print(f"{self.model_path} was trained with other {', '.join(other)}: retraining")
            return None
        print(f"{self.model_path} is trained already; --restart retrains it")
        return checkpoint

    def load_state(self):
        """The state that an earlier run left; None where there is none.

        Raises:
            UserError: it cannot be read, or is of other options or inputs.
        """
        path = self.state_path
        if not path.exists():
            return None
        state = load_checkpoint(path, self.part, self.options.device)
        if self.options.auto_precision:         # goes on in that of the state, whatever this machine would take
            precision = state["options"].get("precision", self.options.precision)
            if precision != self.options.precision:
                print(f"{path}: goes on in its precision, {precision}")
            self.options.precision = choose_precision(precision, self.options.device)
            self.fixed_options["precision"] = precision
        refuse_other_options(path, state["options"], self.fixed_options)
        if other := other_inputs(state, self.made_from):
            raise UserError(f"{path}: a run with other {', '.join(other)}; go on with what it was started with, or "
                            "start again with --restart")
        return state

    def save_state(self, state):
        """Write all that is needed to resume from here."""
        if processes.rank == 0:
            write_checkpoint(self.state_path, self.part, self.made_from | {"options": self.fixed_options} | state)

    def save_model(self, model, curves, finished):
        """Write the checkpoint and data.npy; model: dict with what it takes to build the model again."""
        if processes.rank == 0:
            write_checkpoint(self.model_path, self.part, self.made_from | model | {
                "options": self.fixed_options, "curves": curves, "finished": finished})
            with replace_file(self.data_path, "wb") as file:            # the assignment's: (3, epochs)
                np.save(file, np.array([curves[name] for name in ("train_loss", "train_accuracy", "test_accuracy")]))

    def finish(self, model, curves, elapsed_s, kept_epoch):
        """Write the results of a run that came to its end; from then on there is nothing to resume."""
        if processes.rank == 0:
            self.remove(*self.tables)           # of a model on its way here
            self.save_model(model, curves, finished=True)
            save_curves(self.curves_path, f"Part {self.part}", curves)
            write_record(self.record_path, part=self.part, options=self.fixed_options,
                         overridden=self.options.overridden, machine=describe_machine(self.options.device),
                         seconds=elapsed_s, curves=curves, data=self.data, network=model["network"],
                         weights=model["weights"], kept_epoch=kept_epoch)
            self.remove(self.state_path)        # last: a run killed before this comes here again from its state
        processes.wait_for_all()
        print(f"wrote {self.model_path}, data.npy, record.json and curves.png")


def has_restarted(path):
    """Whether an earlier turn of the same job, whose number is in the file, has discarded earlier results.

    torchrun starts a run whose process died, and Slurm a job that it requeues, with the same --restart.
    """
    if os.environ.get("SLURM_RESTART_COUNT", "0") != "0" and path.exists():
        return path.read_text() == os.environ.get("SLURM_JOB_ID")
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"


def other_inputs(before, now):
    """What a run was made from that is not the same now, names such as "reviews"; made_from of RunFolder, twice."""
    before, now = (some["inputs"] | {"vocabulary": some["vocabulary"]} for some in (before, now))
    return [name for name, value in now.items() if before.get(name) != value]


def refuse_other_options(path, before, now):
    """Raise UserError, which names them, for options that the run in a file had otherwise; dicts of plain values."""
    other = {name: value for name, value in now.items() if before.get(name) != value}
    if new := [name for name in other if name not in before]:
        raise UserError(f"{path}: a run from before there was --{new[0].replace('_', '-')}; start again with "
                        "--restart, or elsewhere with --output")
    if other:
        given, kept = (" ".join(typed(name, some[name]) for name in other) for some in (other, before))
        raise UserError(f"{given}: the run in {path} has {kept}; start again with that, or with --restart, or "
                        "elsewhere with --output")
