"""Each part beside the assignment's loops, timed in one run.

    python benchmarks/bench.py
    python benchmarks/bench.py --device cuda --parts 2a 3a --repeats 30

Prints a table and writes it as JSON to --output, with the machine, the versions and the commit. The
loops are those of tests/reference.py in float32, fed as the assignment feeds them: a crop cut with
NumPy and copied for each review, one embedding call a review in 1a, a number asked for after each
step. Ours is what the part's script does in a step. Medians are compared, on reviews of random words as
long as the real ones, at the assignment's sizes; the loops come first, with the allocator as it is. In 3c the
last LSTM layer alone learns, in the loops too.

The bare layers of a step are its LSTM layers in one call (and the decoder), forward and backward. Shares
are of the device's peak, a large matrix multiplication and a large copy timed in the same run.
"""

import ctypes
import dataclasses
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

import numpy as np
import torch
from loops import Loop
from torch import nn

import common.options
from common.arguments import Parser, positive_int
from common.data.batches import in_order
from common.data.token_files import cache_path, read_token_ids, write_array, write_token_ids
from common.devices import autocast, choose_device, choose_precision, keep_freed_memory
from common.errors import run_script
from common.files import replace_file
from common.layers.word_vectors import WordVectors
from common.parts import PARTS
from common.results.records import describe_machine
from common.training.evaluation import evaluate

WORDS = 20_000
TRAINED = [part for part, some in PARTS.items() if some.model]
LENGTH_OF_GENERATED = 150


@dataclasses.dataclass
class Comparison:
    """One row: medians in seconds, peak memory in bytes above what was in use before; None where not measured."""

    part: str
    what: str
    loop_s: float
    ours_s: float
    tokens: int
    loop_bytes: int | None = None
    ours_bytes: int | None = None
    flops: float = 0
    floor_s: float = 0


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
    """The part's training, as its script builds it, but for the allocator, which is the loops' too at first."""
    common.options.keep_freed_memory = lambda: None
    sys.path.insert(0, str(ROOT / part))
    return importlib.import_module(Path(PARTS[part].train).stem).build_training(argv)


# Measuring


def medians(functions, repeats, device):
    """Call the functions in turn -> median seconds of each, and peak bytes in a first call, to warm up.

    Short calls are repeated for three seconds or more: the medians of a few are noise.
    """
    seconds = [[] for _ in functions]
    peaks = [0 for _ in functions]
    started = None
    while started is None or len(seconds[0]) < repeats or time.perf_counter() < started + 3:
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


def dtype_of(options):
    """What bare modules compute in; autocast would cast their operands at each call, and cuDNN's LSTM to float16."""
    return torch.bfloat16 if options.precision == "bfloat16" else torch.float32


def device_peaks(options):
    """Floating-point operations and bytes a second of a large matrix multiplication and a large copy."""
    size = 8192 if options.device.type == "cuda" else 2048
    a, b = torch.randn(2, size, size, dtype=dtype_of(options), device=options.device)
    source = torch.empty(1 << 28, dtype=torch.uint8, device=options.device)
    target = torch.empty_like(source)
    with torch.inference_mode():
        (product_s, copy_s), _ = medians([lambda: a @ b, lambda: target.copy_(source)], 10, options.device)
    return {"flops": 2 * size ** 3 / product_s, "bytes": 2 * source.numel() / copy_s}


def lstm_flops(batch, time_steps, in_size, hidden, layers):
    """Of one forward pass: a product with the input and one with the hidden state at each timestep."""
    return 2 * batch * time_steps * 4 * hidden * (in_size + hidden + (layers - 1) * 2 * hidden)


def frozen_layers(training):
    """How many LSTM layers, from the first on, do not learn."""
    return sum(not training.model.get_parameter(f"lstm{k}.lstm.weight_hh").requires_grad
               for k in range(1, training.arguments["lstm_layers"] + 1))


def floor(part, training, batch, time_steps):
    """The layers of a part as bare modules: one forward and backward pass, as a function."""
    options, arguments = training.options, training.arguments
    hidden, layers, frozen = arguments["no_of_hidden_units"], arguments["lstm_layers"], frozen_layers(training)
    kind = dict(dtype=dtype_of(options), device=options.device)
    in_size = arguments.get("in_size", hidden)
    lower = BareLSTM(in_size, hidden, frozen, **kind) if frozen else None
    lstm = BareLSTM(hidden if frozen else in_size, hidden, layers - frozen, **kind)
    decoder = nn.Linear(hidden, arguments["vocab_size"], **kind) if part == "3a" else nn.Identity()
    x = torch.randn(batch, time_steps, in_size, requires_grad=not frozen, **kind)

    def passes():
        h = x
        if lower:
            with torch.no_grad():
                h = lower(x)
        decoder(lstm(h)).sum().backward()
    return passes


class BareLSTM(nn.Module):
    """LSTM layers in one call, (batch, time, in_size) -> (batch, time, hidden).

    nn.LSTM has weights of its own, which it copies at each call on a GPU in bfloat16; here they lie together.
    """

    def __init__(self, in_size, hidden, layers, **kind):
        super().__init__()
        self.hidden, self.layers = hidden, layers
        self.shapes = [shape for k in range(layers) for shape in (
            (4 * hidden, hidden if k else in_size), (4 * hidden, hidden), (4 * hidden,), (4 * hidden,))]
        self.weights = nn.Parameter(0.1 * torch.randn(sum(math.prod(shape) for shape in self.shapes), **kind))

    def forward(self, x):
        weights = self.weights.split([math.prod(shape) for shape in self.shapes])
        state = x.new_zeros(self.layers, len(x), self.hidden)
        return torch.lstm(x, (state, state), [weight.view(shape) for weight, shape in zip(weights, self.shapes)],
                          has_biases=True, num_layers=self.layers, dropout=0.0, train=torch.is_grad_enabled(),
                          bidirectional=False, batch_first=True)[0]


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
    batches = in_order(4 * batch, batch)

    # First the loops, with the allocator as it is, which cannot be gone back to.
    other = (lambda: [loop.generate(LENGTH_OF_GENERATED) for _ in range(2)]) if part == "3a" else (
        lambda: loop.evaluate(batches, length))
    (loop_s, other_s), (loop_bytes, other_bytes) = medians(
        [lambda: loop.step(indices, time_steps), other], repeats, options.device)
    keep_freed_memory()

    training.model.train()
    functions = [lambda: training.step(indices)] + ([floor(part, training, batch, time_steps)] if recurrent else [])
    (ours_s, *floor_s), (ours_bytes, *_) = medians(functions, repeats, options.device)
    tokens = batch * time_steps if recurrent else loop.tokens("train", batch)
    flops = training_flops(part, training, batch, time_steps) if recurrent else 0
    rows = [Comparison(part, "training step", loop_s, ours_s, tokens, loop_bytes, ours_bytes, flops, *floor_s)]
    if part == "3a":
        return rows + [compare_generation(other_s, training, repeats)]

    data = training.data["test"]
    (ours_s,), (ours_bytes,) = medians([lambda: evaluate(
        training.model, training.score, [data.batch(torch.cat(batches))], options)], repeats, options.device)
    tokens = 4 * batch * length if recurrent else loop.tokens("test", 4 * batch)
    what = f"evaluation at {length} tokens" if recurrent else "evaluation"
    flops = 0
    if recurrent:
        with torch.inference_mode(), autocast(options):
            flops = evaluation_flops(part, training, data.batch(torch.cat(batches)).tokens)
    return rows + [Comparison(part, what, other_s, ours_s, tokens, other_bytes, ours_bytes, flops)]


def forward_flops(part, arguments, batch, time_steps):
    hidden = arguments["no_of_hidden_units"]
    flops = lstm_flops(batch, time_steps, arguments.get("in_size", hidden), hidden, arguments["lstm_layers"])
    return flops + (2 * batch * time_steps * hidden * arguments["vocab_size"] if part == "3a" else 0)


def evaluation_flops(part, training, x):
    """The way forward on crops x (batch, time); a layer that looks words up multiplies each distinct one once."""
    model, hidden = training.model, training.arguments["no_of_hidden_units"]
    flops = forward_flops(part, training.arguments, *x.shape)
    table = next(model.parameters())
    if WordVectors(table, x).multiply_once():
        flops -= (x.numel() - len(x.unique())) * 2 * 4 * hidden * training.arguments.get("in_size", hidden)
    return flops


def training_flops(part, training, batch, time_steps):
    """The way forward, and twice as much backward but through the layers that do not learn."""
    hidden = training.arguments["no_of_hidden_units"]
    backward = (forward_flops(part, training.arguments, batch, time_steps)
                - frozen_layers(training) * lstm_flops(batch, time_steps, hidden, hidden, 1))
    return forward_flops(part, training.arguments, batch, time_steps) + 2 * backward


def compare_generation(loop_s, training, repeats):
    """A hundred reviews at once beside one after the other; loop_s: seconds of two of these."""
    sys.path.insert(0, str(ROOT / "3b"))
    from generate_review import generate
    primes = [[1]] * 100
    training.model.eval()

    def ours():
        with autocast(training.options):
            generate(training.model, primes, LENGTH_OF_GENERATED, 1.0)
    (ours_s,), _ = medians([ours], max(1, repeats // 3), training.options.device)
    return Comparison("3b", "100 reviews of 150 tokens", loop_s * 50, ours_s, 100 * LENGTH_OF_GENERATED)


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
    return [Comparison("", "reading text", lines_s, first_s, len(token_ids), lines_bytes, first_bytes),
            Comparison("", "reading the cache", lines_s, cached_s, len(token_ids), lines_bytes, cached_bytes)]


# The report


def print_head(peaks):
    print(f"peaks: {peaks['flops'] / 1e12:.2f} TFLOP/s, {peaks['bytes'] / 1e9:.0f} GB/s")
    print(f"{'part':4} {'what':26} {'loop':>9} {'ours':>9} {'ratio':>7} {'tokens/s':>11} {'of peak':>8} {'floor':>9} "
          f"{'memory: loop':>13} {'ours':>9}")


def print_rows(rows, peaks):
    for row in rows:
        share = f"{row.flops / row.ours_s / peaks['flops']:.0%}" if row.flops else ""
        bare = f"{1e3 * row.floor_s:,.1f} ms" if row.floor_s else ""
        memory = "" if row.loop_bytes is None else (
            f"{row.loop_bytes / 2 ** 20:9,.0f} MiB {row.ours_bytes / 2 ** 20:5,.0f} MiB")
        print(f"{row.part:4} {row.what:26} {1e3 * row.loop_s:6,.0f} ms {1e3 * row.ours_s:6,.1f} ms "
              f"{row.loop_s / row.ours_s:6.1f}x {row.tokens / row.ours_s:11,.0f} {share:>8} {bare:>9} "
              f"{memory}".rstrip(), flush=True)


def commit():
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or None


def parse_options():
    parser = Parser(__doc__)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="where to compute")
    parser.add_argument("--precision", choices=["auto", "float32", "tf32", "bfloat16"], default="auto",
                        help="of ours; the loops compute in float32")
    parser.add_argument("--parts", nargs="+", choices=[*TRAINED, "reading"], default=[*TRAINED, "reading"],
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
    options.device, options.precision = device, precision
    peaks = device_peaks(options)
    print_head(peaks)
    context = multiprocessing.get_context("spawn")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        write_data(data)
        for part in options.parts:
            with context.Pool(1) as pool:       # modules of one name and memory peaks stay apart
                arguments = (data, options.repeats) if part == "reading" else (
                    part, data, device.type, precision, options.repeats)
                measured = pool.apply(measure_reading if part == "reading" else measure_part, arguments)
            print_rows(measured, peaks)
            rows += measured
    with replace_file(options.output) as file:
        json.dump(record | {"peaks": peaks, "rows": [dataclasses.asdict(row) for row in rows]}, file, indent=1)


if __name__ == "__main__":
    run_script(main)
