"""What the tests of training share: runs without figures, and the outcome of one that was not stopped."""

import pytest
from small_runs import crops_training, outcome

from common.training.run import run


@pytest.fixture(autouse=True, scope="module")
def no_figures():
    """Drawing takes longer than all else here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("common.training.run_folder.save_curves", lambda path, title, curves: None)
        yield


@pytest.fixture(scope="module")
def uninterrupted(no_figures, tmp_path_factory):
    """The outcome of a crops_training that nothing stopped."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    run(crops_training(folder))
    return outcome(folder)
