"""Files that are whole or not there, on file systems that lack what a POSIX one has."""

import errno
import os
import subprocess
import sys
import tempfile

import pytest
from parts import ROOT

from common.errors import UserError
from common.files import claim_folder, find_temporary_folder, replace_file


def failing(number):
    def fail(*arguments, **options):
        raise OSError(number, os.strerror(number))
    return fail


@pytest.mark.parametrize("call", ["chmod", "fsync"])
@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL])
def test_a_file_system_without_rights_or_flushing_is_written_to(call, number, tmp_path, monkeypatch):
    monkeypatch.setattr(os, call, failing(number))
    with replace_file(tmp_path / "a") as file:
        file.write("whole")
    assert (tmp_path / "a").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_bytes_that_do_not_reach_the_disk_leave_the_file_of_before(number, tmp_path, monkeypatch):
    (tmp_path / "a").write_text("before")
    monkeypatch.setattr(os, "fsync", failing(number))
    with pytest.raises(UserError, match="a: cannot be written .*the file of before is kept"):
        with replace_file(tmp_path / "a") as file:
            file.write("whole")
    assert (tmp_path / "a").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_name_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be written .File name too long"):
        with replace_file(tmp_path / ("x" * 300) / "a"):
            pass


def claim_elsewhere(folder, before=""):
    code = f"{before}\nfrom common.files import claim_folder\nwith claim_folder({str(folder)!r}): print('claimed')"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_a_claimed_folder_is_refused_to_another_process_until_the_claim_ends(tmp_path):
    with claim_folder(tmp_path):
        refused = claim_elsewhere(tmp_path)
        again = claim_elsewhere(tmp_path)
    for run in refused, again:
        assert f"process {os.getpid()} on" in run.stderr and "is writing to this folder" in run.stderr
    assert claim_elsewhere(tmp_path).stdout == "claimed\n"


def test_the_claim_of_a_killed_process_is_void(tmp_path):
    killed = claim_elsewhere(tmp_path, "import os, socket\nsocket.gethostname = lambda: os.kill(os.getpid(), 9)")
    assert killed.returncode == -9
    assert claim_elsewhere(tmp_path).stdout == "claimed\n"


@pytest.mark.parametrize("before", [
    "import fcntl\ndef flock(*arguments): raise OSError(38, 'Function not implemented')\nfcntl.flock = flock",
    "import fcntl\ndef flock(*arguments): raise OSError(37, 'No locks available')\nfcntl.flock = flock",
], ids=["not implemented", "no locks"])
def test_where_there_are_no_locks_one_line_says_so(before, tmp_path):
    for _ in range(2):
        run = claim_elsewhere(tmp_path, before)
        assert run.stdout == "claimed\n"
        assert "no locks on this file system" in run.stderr and len(run.stderr.splitlines()) == 1


def test_a_python_without_fcntl_can_claim_a_folder(tmp_path):
    run = claim_elsewhere(tmp_path, "import sys; sys.modules['fcntl'] = None")
    assert (run.returncode, run.stdout) == (0, "claimed\n")


def test_a_lock_that_cannot_be_opened_is_refused(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(UserError, match=".lock: cannot be written"):
        with claim_folder(tmp_path):
            pass


def test_where_no_temporary_folder_can_be_written_the_output_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("tempfile._candidate_tempdir_list", lambda: [str(tmp_path / "none")])
    find_temporary_folder(tmp_path / "out")
    assert tempfile.gettempdir() == str(tmp_path / "out") and (tmp_path / "out").is_dir()
    find_temporary_folder(tmp_path / "other")           # there is one by now
    assert tempfile.gettempdir() == str(tmp_path / "out")
