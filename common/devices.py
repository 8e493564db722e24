"""Where a run computes, and in which precision."""

import contextlib
import ctypes
import gc
import os
import platform
import re
import sys
from pathlib import Path

import numpy as np
import torch

from common.errors import UserError
from common.processes import processes

gc.freeze()     # of what the imports have made: the garbage collector would look through all of torch again and again

def set_up(options, several_processes=False):
    """Make ready to compute as the options ask: device, precision, the processes of torchrun, random numbers.

    Args:
        options: of parse_options; device and precision become a torch.device and the precision that "auto" stands for.
        several_processes: whether the script can be started by torchrun.

    Raises:
        UserError: what this machine cannot follow.
    """
    options.device = choose_device(options.device)
    options.auto_precision = options.precision == "auto"
    options.precision = choose_precision(options.precision, options.device)
    if int(os.environ.get("WORLD_SIZE") or 1) > 1:              # as torchrun sets it
        if not several_processes:
            raise UserError("torchrun: this script runs in one process; start it with python")
        processes.join(options.device)
    # Gradients that vanish over many timesteps become denormal numbers, which take a CPU seven times as long.
    for dtype in np.float32, np.float64:    # NumPy before 2.3 measures them once, and warns where they are flushed
        np.finfo(dtype)
    torch.set_flush_denormal(True)
    torch.manual_seed(options.seed)


def keep_freed_memory():
    """Let the allocator keep large buffers, as glibc can, for the next step.

    Given back to the system, those of every step are mapped in anew: 250,000 page faults a step of 2a, a fifth of
    its time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(-4, 0)                  # M_MMAP_MAX: no buffer has a mapping of its own
        mallopt(-1, 2 ** 31 - 1)        # M_TRIM_THRESHOLD: free memory at the end stays


def choose_device(device):
    """Resolve "auto" -> torch.device, or raise UserError where there is no such device."""
    if device == "cuda" and not torch.cuda.is_available():
        try:
            torch.cuda.init()
        except (AssertionError, RuntimeError) as error:     # AssertionError: a torch without CUDA
            if "driver on your system is too old" in str(error):
                raise UserError(f"--device cuda: the GPU's driver is too old for torch {torch.__version__}; use a "
                                "torch built for an older CUDA, such as the cluster's own, or --device cpu") from error
        raise UserError("--device cuda: torch finds no CUDA GPU here; use --device cpu, or a node with a GPU")
    if device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    index = int(os.environ.get("LOCAL_RANK") or 0)              # torchrun starts a process for each GPU
    if index >= torch.cuda.device_count():
        raise UserError(f"torchrun: {index + 1} processes or more on a node with {torch.cuda.device_count()} GPUs; "
                        "start as many as there are with --nproc_per_node")
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def choose_precision(precision, device):
    """Resolve "auto", and set torch's matrix multiplications to it, or raise UserError where the device has none."""
    amx, amd = torch.cpu._is_amx_tile_supported(), "AuthenticAMD" in cpu_info()
    if device.type == "cuda":
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Known of the hardware rather than timed, so that every start on a machine takes the same. AMX and AMD's
        # AVX-512 are faster in it; a Xeon's AVX-512 alone, as where a virtual machine hides its AMX, is slower.
        has_bfloat16 = amx or (amd and torch.cpu._is_avx512_bf16_supported())
    if precision == "auto":
        precision = "bfloat16" if has_bfloat16 else "float32"
    if precision == "tf32" and device.type == "cpu":            # bfloat16 a CPU at least emulates
        raise UserError("--precision tf32: a CPU has none; use --precision float32")
    if precision != "float32" and device.type == "cuda" and not has_bfloat16:   # GPUs have both or neither
        raise UserError(f"--precision {precision}: this GPU has none; use --precision float32")
    # cuDNN leaves the tensor cores altogether where tf32 is forbidden, bfloat16 included.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "float32"
    if device.type == "cpu" and amd and not amx:
        # MKL leaves AMD's AVX-512 unused. This lets torch call oneDNN, twice as fast, which would round to bfloat16
        # with AMX and without it computes in float32.
        torch.backends.mkldnn.matmul.fp32_precision = "bf16"      # type: ignore[attr-defined]
    return precision


def cpu_info():
    """What the system tells of the CPU."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.read_text(encoding="utf-8") if cpuinfo.exists() else platform.processor()


def describe_machine(device):
    """Names of the processor, the GPU if that computes, and the versions that numbers depend on."""
    model = re.search(r"^model name\s*: (.*)", cpu_info(), re.MULTILINE)
    return {"cpu": model[1] if model else platform.processor(), "threads": torch.get_num_threads(),
            "processes": processes.size, "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
            "python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}


def autocast(options):
    """Matrix multiplications in the precision that the options ask for."""
    return torch.autocast(options.device.type, torch.bfloat16, enabled=options.precision == "bfloat16")


def describe_run(options):
    """One line that says where and how a run computes."""
    if options.device.type == "cuda":
        place = torch.cuda.get_device_name()
    else:
        place = f"CPU, threads: {torch.get_num_threads()}"
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0
        if load > 1:        # of the last minute: this process has only begun
            place += f" beside other jobs (load {load:.0f})"
    if processes.size > 1:
        place = f"{processes.size} processes, each {place}"
    return f"{place} | {options.precision} | torch {torch.__version__} | seed {options.seed}"


@contextlib.contextmanager
def fixed_seed(options):
    """A context that draws random numbers from the options' seed on, and puts the random state back at its end."""
    with torch.random.fork_rng([options.device] if options.device.type == "cuda" else []):
        torch.manual_seed(options.seed)
        yield
