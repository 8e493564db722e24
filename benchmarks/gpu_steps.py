"""What a training step takes on a GPU, and what it could: the measuring part of benchmarks/gpu.sh.

    python benchmarks/gpu_steps.py --data preprocessed_data
    python tests/simulated_cuda.py benchmarks/gpu_steps.py --data preprocessed_data/sample --small

Prints milliseconds a step of 3a as it is and with other widths and chunks, launched and recorded; of two trainings on
two streams; of a bare nn.LSTM forward and backward, in float16 and bfloat16, with the kernels that cuDNN chose; and the
kernels of recorded steps that take the most time. --small tries all of it at sizes that take no time.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench import ROOT, build_training  # before torch is imported

import torch
from torch import nn
from torch.profiler import profile

from common.arguments import Parser, path
from common.errors import run_script
from common.layers.decoders import CHUNK_ROWS

NATIVE = "--hidden-units", "512", "--vocab-size", "8063"        # with the unknown word multiples of 8


def milliseconds(function, calls):
    """Of a call, after as many as recording takes."""
    for _ in range(5):
        function()
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(calls):
        function()
    torch.cuda.synchronize()
    return 1e3 * (time.perf_counter() - started) / calls


def kernels(function, shown):
    """The kernels of ten calls that take the most time, as torch shows them."""
    with profile() as seen:
        for _ in range(10):
            function()
        torch.cuda.synchronize()
    return seen.key_averages().table("self_device_time_total", row_limit=shown, max_name_column_width=100)


def language_model(options, *argv):
    """A training of 3a -> functions that take a step: as it does, and launched."""
    sizes = ["--hidden-units", "8", "--batch-size", "20", "--sequence-length", "10"] if options.small else []
    training = build_training(
        "3a", ["--data", str(options.data), "--device", "cuda", "--output", tempfile.mkdtemp(), *argv, *sizes])
    training.parallel.train()
    indices = torch.arange(training.options.batch_size)
    return lambda: training.step(indices), lambda: training.launch_step(indices.to("cuda"))


def measure_steps(options):
    """3a at the assignment's settings, and with what a GPU might read faster."""
    for chunk, argv in (1000, ()), (10_000, ()), (10_000, NATIVE), (10_000, ("--recipe", "long", "--cutoffs")):
        CHUNK_ROWS["cuda"] = chunk
        recorded, launched = (milliseconds(step, options.calls) for step in language_model(options, *argv))
        print(f"3a {' '.join(argv)}, chunks of {chunk}: recorded {recorded:.2f} ms, launched {launched:.2f}",
              flush=True)
    print("kernels of ten recorded steps:", kernels(language_model(options)[0], 40), sep="\n", flush=True)


def measure_streams(options):
    """Two trainings at the same time on streams of their own, in place of one after the other."""
    steps = [language_model(options, "--seed", str(seed))[0] for seed in range(2)]
    streams = [torch.cuda.Stream() for _ in steps]

    def both():
        for step, stream in zip(steps, streams):
            with torch.cuda.stream(stream):
                step()
    alone = milliseconds(steps[0], options.calls)
    print(f"3a on one stream {alone:.2f} ms a step, on two {milliseconds(both, options.calls) / 2:.2f}", flush=True)


def measure_lstm(options):
    """One layer of 512 units: cuDNN keeps the weights in registers where the type is float16 and the batch small."""
    units, times, batches = (8, [3], [4]) if options.small else (512, [50, 200], [48, 64, 104, 128, 200])
    for time_steps in times:
        for dtype in (torch.bfloat16, torch.float16):
            for batch in batches:
                lstm = nn.LSTM(units, units, batch_first=True, device="cuda", dtype=dtype)
                x = torch.randn(batch, time_steps, units, dtype=dtype, device="cuda", requires_grad=True)

                def step(lstm=lstm, x=x):
                    lstm(x)[0].sum().backward()
                with torch.cuda.stream(torch.cuda.Stream()):
                    for _ in range(3):
                        step()
                torch.cuda.synchronize()
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph):
                    step()
                found = milliseconds(graph.replay, options.calls)
                print(f"nn.LSTM {units}, T {time_steps}, B {batch}, {dtype}: {found:.2f} ms",
                      kernels(graph.replay, 4), sep="\n", flush=True)


def main():
    parser = Parser(__doc__)
    parser.add_argument("--data", type=path, default=ROOT / "preprocessed_data",
                        help="folder of the preprocessed files")
    parser.add_argument("--small", action="store_true", help="try it at sizes that take no time")
    options = parser.parse_args()
    options.calls = 2 if options.small else 50
    failed = 0
    for measure in measure_steps, measure_lstm, measure_streams:        # each whatever became of the others
        try:
            measure(options)
        except Exception as error:      # noqa: BLE001
            failed += 1
            print(f"{measure.__name__} failed: {type(error).__name__}: {error}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    run_script(main)
