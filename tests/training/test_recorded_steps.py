"""Which training steps are recorded as CUDA graphs, and what becomes of one that cannot be.

That recorded steps train as launched ones is tested in tests/scripts/test_cuda.py, on a GPU.
"""

import argparse
import contextlib
import types

import pytest
import torch
from torch import nn

from common.data.batches import BagsOfWords, Crops
from common.layers.ensemble import Ensemble
from common.processes import Processes
from common.training import recorded_steps
from common.training.recorded_steps import RecordedSteps, can_record


def instance_of(kind):
    return kind.__new__(kind)


def recordable(model=nn.Linear, data=Crops, device="cuda", **options):
    options = argparse.Namespace(device=torch.device(device), schedule="step", **options)
    return can_record(instance_of(model), instance_of(data), options)


def test_a_network_on_crops_is_recorded_on_a_gpu():
    assert recordable() and recordable(cutoffs=[])


@pytest.mark.parametrize("case", [dict(device="cpu"), dict(data=BagsOfWords), dict(model=Ensemble), dict(cutoffs=[100])])
def test_what_changes_from_step_to_step_is_not_recorded(case):
    assert not recordable(**case)


def test_a_schedule_that_changes_more_than_the_learning_rate_is_not_recorded():
    options = argparse.Namespace(device=torch.device("cuda"), schedule="one-cycle")
    assert not can_record(instance_of(nn.Linear), instance_of(Crops), options)


def test_several_processes_record_nothing(monkeypatch):
    several = Processes()
    several.size = 2
    monkeypatch.setattr(recorded_steps, "processes", several)
    assert not recordable()


def test_a_step_that_cannot_be_recorded_goes_on_being_launched(cuda, monkeypatch, capsys):
    @contextlib.contextmanager
    def graph(*_, **__):
        yield
        raise RuntimeError("capture failed")

    stream = types.SimpleNamespace(wait_stream=lambda _: None)
    for name, fake in dict(Stream=lambda: stream, current_stream=lambda: stream, graph=graph, CUDAGraph=object,
                           stream=lambda _: contextlib.nullcontext()).items():
        monkeypatch.setattr(torch.cuda, name, fake)
    weight = torch.zeros(1, device=cuda, requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=0.5)
    seen = []
    steps = RecordedSteps(lambda indices: seen.append(indices.tolist()) or indices, optimizer)
    for k in range(6):
        assert steps(torch.tensor([k, k])).tolist() == [k, k]
    assert [indices for indices in seen if indices == [5, 5]] == [[5, 5]]
    assert optimizer.param_groups[0]["lr"] == 0.5 and not optimizer.param_groups[0]["capturable"]
    assert capsys.readouterr().err == ("training steps cannot be recorded as CUDA graphs here and take longer: "
                                       "capture failed\n")
