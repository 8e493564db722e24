"""Which training steps are recorded as CUDA graphs, and what is said of one that cannot be.

Whole trainings with recorded steps and with launched ones are compared in tests/scripts/test_cuda.py.
"""

import argparse
import contextlib
import types

import pytest
import torch
from torch import nn

from common.data.batches import BagsOfWords, Crops
from common.errors import UserError
from common.processes import Processes
from common.training import recorded_steps
from common.training.recorded_steps import RecordedSteps, can_record
from common.training.schedules import after_epoch, build_optimizer, build_schedule


def recordable(data=Crops, device="cuda", **options):
    defaults = dict(schedule="step", optimizer="adam", debug=False)
    options = argparse.Namespace(device=torch.device(device), **defaults | options)
    return can_record(data.__new__(data), options)


@pytest.mark.parametrize("case", [{}, dict(cutoffs=[]), dict(ngrams=3), dict(schedule="one-cycle"),
                                  dict(optimizer="sgd")], ids=str)
def test_a_network_on_crops_is_recorded_on_a_gpu(case):
    assert recordable(**case)


@pytest.mark.parametrize("case", [dict(device="cpu"), dict(data=BagsOfWords), dict(cutoffs=[100]),
                                  dict(adversarial=0.01), dict(schedule="one-cycle", optimizer="sgd"),
                                  dict(debug=True)], ids=str)
def test_what_changes_from_step_to_step_is_not_recorded(case):
    assert not recordable(**case)


def test_several_processes_record_nothing(monkeypatch):
    several = Processes()
    several.size = 2
    monkeypatch.setattr(recorded_steps, "processes", several)
    assert not recordable()


def test_a_step_that_cannot_be_recorded_is_refused_in_a_line(cuda, monkeypatch):
    @contextlib.contextmanager
    def graph(*_, **__):
        try:
            yield
        finally:
            raise RuntimeError("capture failed due to a previous error")

    def step(indices):
        if len(seen) == 3:
            raise RuntimeError("operation not permitted\nwhen stream is capturing")
        seen.append(indices.tolist())
        return indices

    stream = types.SimpleNamespace(wait_stream=lambda _: None)
    for name, fake in dict(Stream=lambda: stream, current_stream=lambda: stream, graph=graph, CUDAGraph=object,
                           stream=lambda _: contextlib.nullcontext()).items():
        monkeypatch.setattr(torch.cuda, name, fake)
    optimizer = torch.optim.Adam([torch.zeros(1, device=cuda, requires_grad=True)], lr=0.5)
    seen, steps = [], RecordedSteps(step, optimizer)
    for k in range(3):
        assert steps(torch.tensor([k, k])).tolist() == [k, k]
    with pytest.raises(UserError) as refusal:
        steps(torch.tensor([3, 3]))
    assert str(refusal.value) == ("a training step cannot be recorded as a CUDA graph (operation not permitted); with "
                                  "--debug its kernels are launched one by one")
    assert seen == [[0, 0], [1, 1], [2, 2]]
    assert optimizer.param_groups[0]["lr"] == 0.5 and not optimizer.param_groups[0]["capturable"]


@pytest.mark.parametrize("schedule", ["step", "one-cycle"])
def test_what_a_schedule_sets_reaches_the_steps_that_are_replayed(schedule, cuda):
    def train(recorded):
        torch.manual_seed(0)
        model = nn.Linear(3, 1).to(cuda)
        options = argparse.Namespace(optimizer="adam", learning_rate=0.1, schedule=schedule, step_epochs=1)
        optimizer = build_optimizer(model, options)
        follow = build_schedule(optimizer, options, steps=12)
        x = torch.randn(20, 3).to(cuda)

        def step(indices):
            optimizer.zero_grad()
            loss = model(x[indices]).square().mean()
            loss.backward()
            optimizer.step()
            return loss.detach()

        steps, losses = RecordedSteps(step, optimizer), []
        for k in range(12):
            indices = torch.arange(k, k + 5)
            losses.append((steps(indices) if recorded else step(indices.to(cuda))).item())
            if schedule == "one-cycle":
                follow.step()
            elif k == 7:
                after_epoch(follow)
        return losses
    assert train(recorded=True) == pytest.approx(train(recorded=False), rel=1e-4)
