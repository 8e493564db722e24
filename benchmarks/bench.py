"""Each part beside the assignment's loops and the machine's own limits, timed in one run.

    python benchmarks/bench.py
    python benchmarks/bench.py --device cuda --parts 2a 3a --repeats 30

Prints a table and writes it as JSON to --output, with the machine, the versions and the commit. The
loops are those of tests/reference.py in float32, fed as the assignment feeds them: a crop cut with
NumPy and copied for each review, one embedding call a review in 1a, a number asked for after each
step. Ours is what the part's script does in a step. Medians are compared, on reviews of random words as
long as the real ones, at the assignment's sizes; the loops come first, with the allocator as it is. In 3c the
last LSTM layer alone learns, in the loops too.

A row's limit is the time that what it must do would take at the rates of a large matrix product and a large
copy, timed in the same process: its own matrix products, as torch counts them, and the bytes of the weights, which
an evaluation reads once and a training step with Adam seven times, or of the file that is read. The limit of a
script's start is Python's own.
"""

import ctypes
import dataclasses
import functools
import importlib
import json
import math
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from common.options import spin_briefly

spin_briefly()      # as the scripts do, before torch is imported

import numpy as np
import torch
from loops import Loop
from torch.utils.flop_counter import FlopCounterMode

from common.arguments import Parser, positive_int
from common.data.batches import nearly_equal
from common.data.token_files import cache_path, read_token_ids, write_array, write_token_ids
from common.devices import autocast, choose_device, choose_precision, keep_freed_memory
from common.errors import run_script
from common.files import replace_file
from common.parts import PARTS
from common.results.records import describe_machine
from common.training.evaluation import evaluate

WORDS = 20_000
TRAINED = [part for part, some in PARTS.items() if some.model]
SCRIPTS = ["preprocess_data.py", *(script for part in PARTS.values() for script in (part.train, part.test) if script)]
OTHERS = ["reading", "start"]
LENGTH_OF_GENERATED = 150


@dataclasses.dataclass
class Comparison:
    """One row: medians in seconds, peak memory in bytes above what was in use before; None where not measured."""

    part: str
    what: str
    loop_s: float | None
    ours_s: float
    limit_s: float
    loop_bytes: int | None = None
    ours_bytes: int | None = None


# Inputs


def write_data(folder, train=4000, test=2000, seed=0):
    """Preprocessed files of reviews of random words, their lengths and word counts like the real ones'."""
    random = np.random.default_rng(seed)
    write_array(folder / "imdb_dictionary.npy", np.array([f"word{k}" for k in range(WORDS)]))
    write_array(folder / "glove_dictionary.npy", np.array([f"word{k}" for k in range(WORDS)]))
    vectors = random.standard_normal((WORDS + 1, 300), dtype=np.float32)
    vectors[0] = 0
    write_array(folder / "glove_embeddings.npy", vectors)
    for split, count in ("train", train), ("test", test):
        token_ids, offsets = draw_reviews(random, count)
        write_token_ids(folder / f"imdb_{split}.txt", token_ids, offsets)
        write_token_ids(folder / f"imdb_{split}_glove.txt", token_ids, offsets)
        with replace_file(folder / f"imdb_{split}_reviews.tsv") as file:
            file.writelines(f"{k}_8.txt\t{'pos' if k % 2 else 'neg'}\t8\ttt{k}\n" for k in range(count))


def draw_reviews(random, count):
    """Reviews like the real ones, as preprocess_data.py describes them.

    Lengths are log-normal with mean 268 and standard deviation 199; words follow Mandelbrot's law, and the most
    frequent 100 cover 56 % of the tokens, 8,000 cover 94 %.
    """
    lengths = random.lognormal(5.37, 0.66, count).clip(10, 2874).astype(np.int64)
    shares = (np.arange(WORDS) + 2) ** -1.1
    token_ids = random.choice(WORDS, int(lengths.sum()), p=shares / shares.sum()).astype(np.int32) + 1
    return token_ids, np.concatenate([[0], lengths.cumsum()])


def build_training(part, argv):
    """The part's training, as its script builds it."""
    sys.path.insert(0, str(ROOT / part))
    return importlib.import_module(Path(PARTS[part].train).stem).build_training(argv)


# Measuring


def medians(functions, repeats, device, at_least_s=3):
    """Call the functions in turn -> median seconds of each, and peak bytes in a first call, to warm up.

    Short calls are repeated for at_least_s: the medians of a few are noise.
    """
    seconds = [[] for _ in functions]
    peaks = [0 for _ in functions]
    started = None
    while started is None or len(seconds[0]) < repeats or time.perf_counter() < started + at_least_s:
        for k, function in enumerate(functions):
            before = None if started else start_peak(device)
            wait(device)
            start = time.perf_counter()
            function()
            wait(device)
            if started:
                seconds[k].append(time.perf_counter() - start)
            else:
                peaks[k] = peak(device) - before
        started = started or time.perf_counter()
    return [statistics.median(some) for some in seconds], peaks


def wait(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


def start_peak(device):
    """Forget the peak of memory use so far -> bytes in use."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    ctypes.CDLL(None).malloc_trim(0)                    # freed memory that the allocator keeps is not in use
    Path("/proc/self/clear_refs").write_text("5")       # see proc(5)
    return peak(device)


def peak(device):
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def measured_rates(device, precision):
    """Floating-point operations and bytes a second of a large matrix product and a large copy."""
    size = 8192 if device.type == "cuda" else 2048
    a, b = torch.randn(2, size, size, device=device).to(torch.bfloat16 if precision == "bfloat16" else torch.float32)
    source = torch.empty(1 << 28, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    (product_s, copy_s), _ = medians([lambda: a @ b, lambda: target.copy_(source)], 10, device, at_least_s=0)
    return 2 * size ** 3 / product_s, 2 * source.numel() / copy_s


def lstm_flops(x, weight_ih, weight_hh, *_, **__):
    """Of shapes: a product with the input and one with the hidden state at each timestep."""
    return 2 * math.prod(x[:-1]) * (math.prod(weight_ih) + math.prod(weight_hh))


def cudnn_flops(x, weights, *_, **__):
    return lstm_flops(x, *weights[:2])


def add_product_flops(_, a, b, **__):
    return 2 * math.prod(a) * b[-1]


# What torch does not count itself.
MORE_FLOPS = {
    torch.ops.aten.mkldnn_rnn_layer: lstm_flops, torch.ops.aten._cudnn_rnn: cudnn_flops,
    torch.ops.aten.mkldnn_rnn_layer_backward: lambda *shapes, **more: 2 * lstm_flops(*shapes, **more),
    torch.ops.aten._cudnn_rnn_backward: lambda *shapes, **more: 2 * cudnn_flops(*shapes, **more),
    torch.ops.aten.addmm_: add_product_flops}


def limit(function, rates, weight_bytes):
    """Seconds that a function's matrix products and the bytes of the weights would take at the measured rates."""
    with FlopCounterMode(display=False, custom_mapping=MORE_FLOPS) as counter:
        function()
    return counter.get_total_flops() / rates[0] + weight_bytes / rates[1]


def measure_part(part, data, device, precision, repeats, sizes=()):
    """The comparisons of one part, in a process of its own; sizes: options in place of the assignment's."""
    sys.stdout = sys.stderr             # the table alone goes to standard output
    torch.manual_seed(0)
    argv = ["--data", str(data), "--device", device, "--precision", precision, *sizes]
    if part == "3c":
        argv += ["--language-model", str(language_model(data, device, sizes))]
    training = build_training(part, argv)
    options = training.options
    loop = Loop(part, training)
    batch, time_steps = options.batch_size, getattr(options, "sequence_length", None)
    indices = torch.arange(batch)
    recurrent = part not in ("1a", "1b")
    length = 2 * time_steps if recurrent else None
    batches = nearly_equal(torch.arange(4 * batch), batch)

    # First the loops, with the allocator as it is, which cannot be gone back to.
    other = (lambda: [loop.generate(LENGTH_OF_GENERATED) for _ in range(2)]) if part == "3a" else (
        lambda: loop.evaluate(batches, length))
    (loop_s, other_s), (loop_bytes, other_bytes) = medians(
        [lambda: loop.step(indices, time_steps), other], repeats, options.device)
    keep_freed_memory()

    rates = measured_rates(options.device, options.precision)
    weights = [4 * weight.numel() for weight in training.model.parameters()]
    learned = [4 * weight.numel() for weight in training.model.parameters() if weight.requires_grad]

    def row(what, loop_s, loop_bytes, function, weight_bytes, part=part):
        (ours_s,), (ours_bytes,) = medians([function], repeats, options.device)
        return Comparison(part, what, loop_s, ours_s, limit(function, rates, weight_bytes), loop_bytes, ours_bytes)

    training.model.train()
    step = row("training step", loop_s, loop_bytes, lambda: training.step(indices), 7 * sum(learned))
    if part == "3a":
        return [step, row("100 reviews of 150 tokens", 50 * other_s, None, lambda: generate_reviews(training),
                          LENGTH_OF_GENERATED * sum(weights), part="3b")]
    data = training.data["test"]
    what = f"evaluation at {length} tokens" if recurrent else "evaluation"
    return [step, row(what, other_s, other_bytes, lambda: evaluate(
        training.model, training.score, [data.batch(torch.cat(batches))], options), sum(weights))]


def generate_reviews(training):
    """A hundred reviews at once."""
    sys.path.insert(0, str(ROOT / "3b"))
    from sampling import generate
    training.model.eval()
    with autocast(training.options):
        generate(training.model, [[1]] * 100, LENGTH_OF_GENERATED, 1.0)


def language_model(data, device, sizes):
    """A language model to start 3c from, untrained: speed does not depend on what it knows."""
    folder = data / "language_model"
    if not folder.exists():
        training = build_training("3a", ["--data", str(data), "--device", device, "--output", str(folder), *sizes])
        training.folder.save_model(training.checkpoint(), training.curves, finished=True)
    return folder / "language.model"


def measure_reading(folder, repeats):
    """The token-id text of 100,000 reviews, line by line and by our reader, without and with its cache."""
    path = folder / "reading" / "imdb_train.txt"
    token_ids, offsets = draw_reviews(np.random.default_rng(0), 100_000)
    write_token_ids(path, token_ids, offsets)

    def lines():
        with open(path, encoding="ascii") as file:
            return [np.array(line.split(), dtype=int) for line in file]

    def first():
        cache_path(path).unlink(missing_ok=True)
        read_token_ids(path, WORDS)
    cpu = torch.device("cpu")
    (lines_s, first_s, cached_s), (lines_bytes, first_bytes, cached_bytes) = medians(
        [lines, first, lambda: read_token_ids(path, WORDS)], max(1, repeats // 3), cpu)
    _, rate = measured_rates(cpu, "float32")
    return [Comparison("", "reading text", lines_s, first_s, path.stat().st_size / rate, lines_bytes, first_bytes),
            Comparison("", "reading the cache", lines_s, cached_s, cache_path(path).stat().st_size / rate, lines_bytes,
                       cached_bytes)]


def measure_start(repeats):
    """How long each script takes to its first line of help."""
    commands = [["-c", ""], *([ROOT / script, "--help"] for script in SCRIPTS)]
    (python_s, *seconds), _ = medians([functools.partial(
        subprocess.run, [sys.executable, *command], check=True, stdout=subprocess.DEVNULL) for command in commands],
        repeats, torch.device("cpu"))
    return [Comparison("", f"{script} --help", None, script_s, python_s)
            for script, script_s in zip(SCRIPTS, seconds)]


# The report


def print_rows(rows):
    """Print rows; "of limit": how much of the time the limit is."""
    for row in rows:
        loop = f"{1e3 * row.loop_s:9,.0f} ms {row.loop_s / row.ours_s:6.1f}x" if row.loop_s else " " * 20
        memory = "" if row.loop_bytes is None else (
            f"{row.loop_bytes / 2 ** 20:9,.0f} MiB {row.ours_bytes / 2 ** 20:5,.0f} MiB")
        print(f"{row.part:4} {row.what:40} {1e3 * row.ours_s:9,.1f} ms {1e3 * row.limit_s:9,.1f} ms "
              f"{row.limit_s / row.ours_s:8.0%} {loop} {memory}".rstrip(), flush=True)


def commit():
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or None


def parse_options():
    parser = Parser(__doc__)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="where to compute")
    parser.add_argument("--precision", choices=["auto", "float32", "tf32", "bfloat16"], default="auto",
                        help="of ours; the loops compute in float32")
    parser.add_argument("--parts", nargs="+", choices=[*TRAINED, *OTHERS], default=[*TRAINED, *OTHERS],
                        help="what to time; 3a includes 3b")
    parser.add_argument("--repeats", type=positive_int, default=5, help="timed calls of each, at least")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "bench.json",
                        help="JSON file that is written")
    return parser.parse_args()


def main():
    options = parse_options()
    device = choose_device(options.device)
    precision = choose_precision(options.precision, device)
    record = {"machine": describe_machine(device), "commit": commit(), "precision": precision}
    print(" | ".join(f"{name} {value}" for name, value in (record["machine"] | record).items() if name != "machine"))
    print(f"{'part':4} {'what':40} {'ours':>12} {'limit':>12} {'of limit':>8} {'loops':>12} {'ratio':>7} "
          f"{'memory: loop':>13} {'ours':>9}")
    context = multiprocessing.get_context("spawn")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        write_data(data)
        for part in options.parts:
            with context.Pool(1) as pool:       # modules of one name and memory peaks stay apart
                if part == "reading":
                    measured = pool.apply(measure_reading, (data, options.repeats))
                elif part == "start":
                    measured = pool.apply(measure_start, (options.repeats,))
                else:
                    measured = pool.apply(measure_part, (part, data, device.type, precision, options.repeats))
            print_rows(measured)
            rows += measured
    with replace_file(options.output) as file:
        json.dump(record | {"rows": [dataclasses.asdict(row) for row in rows]}, file, indent=1)


if __name__ == "__main__":
    run_script(main)
