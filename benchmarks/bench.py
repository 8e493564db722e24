"""Every part and script beside the machine's own limit, timed in one run.

    python benchmarks/bench.py
    python benchmarks/bench.py --device cuda --parts 2a 3a --repeats 30

Prints a table of medians and writes it as JSON to --output, with the machine, the versions and the commit: what the
parts do in a step of training and in an evaluation at the assignment's sizes, on reviews of random words as long as the
real ones; reading 100,000 reviews; and the start of each script, to its help.

A row's limit is the time that what it must do would take at the rates of a large matrix product and a large
copy, timed in the same process: its own matrix products, as torch counts them, and the bytes of the weights, which
an evaluation reads once and a training step with Adam seven times, or of the file that is read. The limit of a
script's start is Python's own.
"""

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

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.options import spin_briefly

spin_briefly()      # as the scripts do, before torch is imported

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from common.arguments import Parser, positive_int
from common.data.token_files import cache_path, read_token_ids, write_array, write_token_ids
from common.devices import autocast, choose_device, choose_precision, describe_machine, keep_freed_memory
from common.errors import run_script
from common.files import replace_file
from common.parts import PARTS, ROOT
from common.training.evaluation import evaluate

WORDS = 20_000
TRAINED = [part for part, some in PARTS.items() if some.model]
SCRIPTS = ["preprocess_data.py", *(script for part in PARTS.values() for script in (part.train, part.test) if script)]
LENGTH_OF_GENERATED = 150


def write_data(folder, train=4000, test=2000):
    """Preprocessed files of reviews of random words, their lengths and word counts like the real ones'."""
    random = np.random.default_rng(0)
    vectors = random.standard_normal((WORDS + 1, 300), dtype=np.float32)
    vectors[0] = 0
    write_array(folder / "glove_embeddings.npy", vectors)
    for words, suffix in ("imdb", ""), ("glove", "_glove"):
        write_array(folder / f"{words}_dictionary.npy", np.array([f"word{k}" for k in range(WORDS)]))
        for split, count in ("train", train), ("test", test):
            write_token_ids(folder / f"imdb_{split}{suffix}.txt", *draw_reviews(random, count))
            (folder / f"imdb_{split}_reviews.tsv").write_text(
                "".join(f"{k}_8.txt\t{'pos' if k % 2 else 'neg'}\t8\ttt{k}\n" for k in range(count)))


def draw_reviews(random, count):
    """(token_ids, offsets) of reviews like the real ones, as preprocess_data.py describes them.

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


def language_model(data, device, sizes):
    """A language model to start 3c from, untrained: speed does not depend on what it knows."""
    folder = data / "language_model"
    training = build_training("3a", ["--data", str(data), "--device", device, "--output", str(folder), *sizes])
    training.folder.save_model(training.checkpoint(), training.curves, finished=True)
    return folder / "language.model"


def row(part, what, ours_s, limit_s):
    return {"part": part, "what": what, "ours_s": ours_s, "limit_s": limit_s}


def median_s(function, repeats, at_least_s=1):
    """Median seconds of a call, after one to warm up; short calls are repeated for at_least_s."""
    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    function()
    seconds = []
    while len(seconds) < repeats or sum(seconds) < at_least_s:
        wait()
        start = time.perf_counter()
        function()
        wait()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def measured_rates(device, precision):
    """Floating-point operations and bytes a second of a large matrix product and a large copy."""
    size = 8192 if device.type == "cuda" else 2048
    a, b = torch.randn(2, size, size, device=device).to(torch.bfloat16 if precision == "bfloat16" else torch.float32)
    source = torch.empty(1 << 28, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * size ** 3 / median_s(lambda: a @ b, 10), 2 * source.numel() / median_s(lambda: target.copy_(source), 10)


def lstm_flops(x, weight_ih, weight_hh, *_, **__):
    """Of shapes: a product with the input and one with the hidden state at each timestep."""
    return 2 * math.prod(x[:-1]) * (math.prod(weight_ih) + math.prod(weight_hh))


def cudnn_flops(x, weights, *_, **__):
    return lstm_flops(x, *weights[:2])


# What torch does not count itself.
MORE_FLOPS = {
    torch.ops.aten.mkldnn_rnn_layer: lstm_flops, torch.ops.aten._cudnn_rnn: cudnn_flops,
    torch.ops.aten.mkldnn_rnn_layer_backward: lambda *shapes, **more: 2 * lstm_flops(*shapes, **more),
    torch.ops.aten._cudnn_rnn_backward: lambda *shapes, **more: 2 * cudnn_flops(*shapes, **more),
    torch.ops.aten.addmm_: lambda _, a, b, **more: 2 * math.prod(a) * b[-1]}


def limit(function, rates, weight_bytes):
    """Seconds that a function's matrix products and the bytes of the weights would take at the measured rates."""
    with FlopCounterMode(display=False, custom_mapping=MORE_FLOPS) as counter:
        function()
    return counter.get_total_flops() / rates[0] + weight_bytes / rates[1]


def measure_part(part, data, device, precision, repeats, sizes=()):
    """The rows of one part, in a process of its own; sizes: options in place of the assignment's."""
    argv = ["--data", str(data), "--device", device, "--precision", precision, *sizes]
    if part == "3c":
        argv += ["--language-model", str(language_model(data, device, sizes))]
    training = build_training(part, argv)
    options, model = training.options, training.model
    keep_freed_memory()
    rates = measured_rates(options.device, options.precision)
    read = 4 * sum(weight.numel() for weight in model.parameters())                                 # bytes
    learned = 4 * sum(weight.numel() for weight in model.parameters() if weight.requires_grad)      # bytes

    indices = torch.arange(options.batch_size)
    model.train()
    # Counted first: a step that is recorded later is replayed without torch's knowing what it computes.
    step_limit_s = limit(lambda: training.launch_step(indices.to(options.device)), rates, 7 * learned)
    rows = [row(part, "training step", median_s(lambda: training.step(indices), repeats), step_limit_s)]
    if part == "3a":
        sys.path.insert(0, str(ROOT / "3b"))
        from sampling import generate

        def test():
            model.eval()
            with autocast(options):
                generate(model, [[1]] * 100, LENGTH_OF_GENERATED, 1.0)
        part, what, read = "3b", f"100 reviews of {LENGTH_OF_GENERATED} tokens", LENGTH_OF_GENERATED * read
    else:
        def test():
            batch = training.data["test"].batch(torch.arange(4 * options.batch_size))
            evaluate(model, training.score, [batch], options)
        what = f"evaluation at {2 * options.sequence_length} tokens" if "RNN" in PARTS[part].train else "evaluation"
    return [*rows, row(part, what, median_s(test, repeats), limit(test, rates, read))]


def measure_reading(folder, repeats):
    """Reading the token-id text of 100,000 reviews, without and with the cache."""
    path = folder / "reading" / "imdb_train.txt"
    write_token_ids(path, *draw_reviews(np.random.default_rng(0), 100_000))

    def first():
        cache_path(path).unlink(missing_ok=True)
        read_token_ids(path, WORDS)
    first_s, cached_s = (median_s(read, repeats) for read in (first, lambda: read_token_ids(path, WORDS)))
    _, rate = measured_rates(torch.device("cpu"), "float32")
    return [row("", "reading text", first_s, path.stat().st_size / rate),
            row("", "reading the cache", cached_s, cache_path(path).stat().st_size / rate)]


def measure_start(repeats):
    """How long each script takes to show its help."""
    def start_s(*argv):
        return median_s(lambda: subprocess.run([sys.executable, *argv], check=True, stdout=subprocess.DEVNULL), repeats)
    python_s = start_s("-c", "")
    return [row("", f"{script} --help", start_s(ROOT / script, "--help"), python_s) for script in SCRIPTS]


def print_rows(rows):
    """Print rows; "of limit": how much of the time the limit is."""
    for row in rows:
        print(f"{row['part']:4} {row['what']:40} {1e3 * row['ours_s']:9,.1f} ms {1e3 * row['limit_s']:9,.1f} ms "
              f"{row['limit_s'] / row['ours_s']:8.0%}", flush=True)


def main():
    parser = Parser(__doc__)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="where to compute")
    parser.add_argument("--precision", choices=["auto", "float32", "tf32", "bfloat16"], default="auto",
                        help="of matrix multiplications")
    choices = [*TRAINED, "reading", "start"]
    parser.add_argument("--parts", nargs="+", choices=choices, default=choices, help="what to time; 3a includes 3b")
    parser.add_argument("--repeats", type=positive_int, default=5, help="timed calls of each, at least")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "bench.json",
                        help="JSON file that is written")
    options = parser.parse_args()
    device = choose_device(options.device)
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    record = describe_machine(device) | {
        "commit": commit.stdout.strip(), "precision": choose_precision(options.precision, device)}
    print(" | ".join(f"{name} {value}" for name, value in record.items()))
    print(f"{'part':4} {'what':40} {'ours':>12} {'limit':>12} {'of limit':>8}")
    rows = []
    # A process for each: modules of several parts have one name.
    with (tempfile.TemporaryDirectory() as folder,
          multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool):
        data = Path(folder)
        write_data(data)
        tasks = {part: (measure_part, (part, data, device.type, record["precision"], options.repeats))
                 for part in TRAINED} | {"reading": (measure_reading, (data, options.repeats)),
                                         "start": (measure_start, (options.repeats,))}
        for part in options.parts:
            measured = pool.apply(*tasks[part])
            print_rows(measured)
            rows += measured
    with replace_file(options.output) as file:
        json.dump(record | {"rows": rows}, file, indent=1)


if __name__ == "__main__":
    run_script(main)
