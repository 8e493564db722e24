"""How a script ends when something is wrong."""

import os
import subprocess
import sys

import pytest
from parts import ROOT


def run(code, **options):
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom common.errors import UserError, run_script\n{code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, **options)


def test_a_user_error_is_one_line_and_status_2():
    done = run("def main(): raise UserError('a.txt:3: wrong;\\n put it right')\nrun_script(main)")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "error: a.txt:3: wrong; put it right\n")


def test_debug_shows_the_traceback():
    done = run("sys.argv.append('--debug')\ndef main(): raise UserError('wrong')\nrun_script(main)")
    assert done.returncode == 1 and "Traceback" in done.stderr and "wrong" in done.stderr


@pytest.mark.parametrize("error, says", [
    ("MemoryError()", "out of memory: use fewer --workers, or ask for"),
    ("OSError(12, 'Cannot allocate memory')", "out of memory"),
    ("ImportError('libx.so: failed to map segment from shared object')", "out of memory"),
    ("RuntimeError('DefaultCPUAllocator: can\\'t allocate memory')", "out of memory"),
    ("RuntimeError('invalid RE code')", "out of memory"),
    ("RuntimeError(\"can't start new thread\")", "the limits of this machine allow no more threads")])
def test_limits_of_the_machine_are_one_line_that_says_what_helps(error, says):
    done = run(f"def main(): raise {error}\nrun_script(main, less_memory='use fewer --workers')")
    assert done.returncode == 2 and done.stderr.startswith(f"error: {says}") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("error", ["OSError(2, 'gone')", "ImportError('torch')", "RuntimeError('shapes')"])
def test_errors_of_the_program_show_their_traceback(error):
    done = run(f"def main(): raise {error}\nrun_script(main)")
    assert done.returncode == 1 and "Traceback" in done.stderr


def test_a_closed_pipe_ends_a_script_as_not_done_and_without_a_word():
    code = """
def main():
    while True:
        print("line", flush=True)
run_script(main)
"""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom common.errors import run_script\n{code}"
    script = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert script.stdout.readline() == "line\n"
    script.stdout.close()
    assert script.stderr.read() == ""
    assert script.wait(timeout=60) == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("flush", [True, False])
def test_a_log_on_a_full_disk_ends_a_script_in_one_line(flush):
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom common.errors import run_script\n" \
           f"run_script(lambda: print('line', flush={flush}))"
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: standard output: cannot be written (No space left on device)")


def test_streams_of_a_notebook_and_closed_streams_are_taken():
    notebook = "sys.stdout = io.TextIOBase(); sys.stdout.write = lambda text: None"
    for streams in notebook, "sys.stdin = sys.stdout = sys.stderr = None":
        done = run(f"import io\n{streams}\ndef main(): print('é', sys.stdin.read())\nrun_script(main)\n"
                   "import os; os._exit(3)")
        assert (done.returncode, done.stderr) == (3, "")
