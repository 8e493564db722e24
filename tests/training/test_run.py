"""What a run asks of its reviews before it starts, and what it says where another process has failed."""

from types import SimpleNamespace

import pytest

from common.errors import UserError
from common.processes import processes
from common.training.run import run


@pytest.fixture(autouse=True)
def two_processes(monkeypatch):
    monkeypatch.setattr(processes, "size", 2)
    monkeypatch.setattr(processes, "leave", lambda: None)


def make_training(batch_size=10, claim=None, **sizes):
    data = {name: SimpleNamespace(reviews=range(size))
            for name, size in (dict(train=50, validation=50, test=50) | sizes).items()}
    return SimpleNamespace(options=SimpleNamespace(batch_size=batch_size), data=data,
                           folder=SimpleNamespace(claim=claim))


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_split_with_fewer_reviews_than_processes_is_refused(split):
    with pytest.raises(UserError, match="too few reviews, for 2 processes"):
        run(make_training(**{split: 1}))


def test_a_batch_with_fewer_than_two_reviews_a_process_is_refused():
    with pytest.raises(UserError, match="--batch-size 3: too small a batch"):
        run(make_training(batch_size=3))


@pytest.mark.parametrize("reason, error, message", [
    ("Connection closed by peer", UserError, "torchrun: a process of this run failed .Connection closed by peer.; .*"
                                             "start again with the same options to resume"),
    ("CUDA out of memory", RuntimeError, "^CUDA out of memory$")])
def test_an_error_that_is_not_of_this_process_is_told_from_its_own(reason, error, message):
    def claim():
        raise RuntimeError(reason)
    with pytest.raises(error, match=message):
        run(make_training(claim=claim))
