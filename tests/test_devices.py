"""Where a run computes, and in which precision."""

import pytest
import torch

from common import devices
from common.devices import choose_device, choose_precision
from common.errors import UserError

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
AMX, AVX512 = "_is_amx_tile_supported", "_is_avx512_bf16_supported"


@pytest.fixture(autouse=True)
def settings():
    """Put torch's settings back."""
    products = torch.backends.mkldnn.matmul
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, products.fp32_precision
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, products.fp32_precision = before


@pytest.fixture
def give_cpu(monkeypatch):
    """Makes the CPU one of a maker and with the instructions for bfloat16 that are named."""
    def give_cpu(maker, *instructions):
        monkeypatch.setattr(devices, "cpu_info", lambda: {"AMD": "AuthenticAMD", "Intel": "GenuineIntel"}[maker])
        for kind in AMX, AVX512:
            monkeypatch.setattr(torch.cpu, kind, lambda kind=kind: kind in instructions)
    return give_cpu


@pytest.fixture
def give_gpus(monkeypatch):
    """Gives the machine two GPUs, with bfloat16 or without."""
    def give_gpus(bfloat16=True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        monkeypatch.setattr(torch.cuda, "set_device", lambda index: None)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: bfloat16)
    return give_gpus


@pytest.mark.parametrize("maker, instructions, precision", [
    ("Intel", [], "float32"), ("AMD", [], "float32"),
    ("Intel", [AVX512], "float32"),                 # a Xeon whose AMX a virtual machine hides multiplies slower in it
    ("AMD", [AVX512], "bfloat16"), ("Intel", [AVX512, AMX], "bfloat16")])
def test_auto_takes_bfloat16_on_the_cpus_that_multiply_faster_in_it(maker, instructions, precision, give_cpu):
    give_cpu(maker, *instructions)
    assert choose_precision("auto", CPU) == precision
    assert choose_precision("auto", CPU) == precision


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_precision_that_is_asked_for_is_taken_on_every_cpu(precision, give_cpu):
    for maker in "Intel", "AMD":
        for instructions in [], [AVX512]:
            give_cpu(maker, *instructions)
            assert choose_precision(precision, CPU) == precision


def test_float32_is_float32_on_this_cpu_whichever_library_multiplies():
    choose_precision("float32", CPU)
    a, b = torch.randn(2, 200, 200, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close((a @ b).double(), a.double() @ b.double(), rtol=0, atol=1e-4)


def test_a_cpu_has_no_tf32():
    with pytest.raises(UserError, match="--precision tf32: a CPU has none; use --precision float32"):
        choose_precision("tf32", CPU)


@pytest.mark.parametrize("bfloat16, precision", [(True, "bfloat16"), (False, "float32")])
def test_a_gpu_is_taken_where_there_is_one_in_the_precision_it_has(bfloat16, precision, give_gpus):
    give_gpus(bfloat16)
    assert choose_device("auto").type == "cuda"
    assert choose_precision("auto", GPU) == precision


def test_a_gpu_is_left_alone_with_device_cpu(give_gpus):
    give_gpus()
    assert choose_device("cpu") == CPU


def test_each_process_of_a_node_takes_a_gpu_of_its_own(give_gpus, monkeypatch):
    give_gpus()
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert choose_device("auto") == torch.device("cuda", 1)


def test_more_processes_than_gpus_are_refused(give_gpus, monkeypatch):
    give_gpus()
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UserError, match="torchrun: 3 processes or more on a node with 2 GPUs"):
        choose_device("auto")


@pytest.mark.parametrize("precision", ["bfloat16", "tf32"])
def test_a_precision_that_a_gpu_does_not_have_is_refused(precision, give_gpus):
    give_gpus(bfloat16=False)
    with pytest.raises(UserError, match=f"--precision {precision}: this GPU has none; use --precision float32"):
        choose_precision(precision, GPU)


@pytest.mark.parametrize("precision, allowed", [("float32", False), ("tf32", True), ("bfloat16", True)])
def test_the_precision_governs_torchs_matrix_multiplications_on_a_gpu(precision, allowed, give_gpus):
    give_gpus()
    assert choose_precision(precision, GPU) == precision
    assert [backend.allow_tf32 for backend in (torch.backends.cuda.matmul, torch.backends.cudnn)] == [allowed, allowed]
