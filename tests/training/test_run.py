"""What a run asks of its reviews before it starts."""

from types import SimpleNamespace

import pytest

from common.errors import UserError
from common.processes import processes
from common.training.run import run


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_split_with_fewer_reviews_than_processes_is_refused(split, monkeypatch):
    monkeypatch.setattr(processes, "size", 2)
    sizes = dict(train=50, validation=50, test=50) | {split: 1}
    data = {name: SimpleNamespace(reviews=range(size)) for name, size in sizes.items()}
    with pytest.raises(UserError, match="too few reviews, for 2 processes"):
        run(SimpleNamespace(options=SimpleNamespace(batch_size=10), data=data))
