"""Two commits side by side: the benchmark of each, in turn on one machine.

    python benchmarks/compare.py 7c58e30
    python benchmarks/compare.py 7c58e30 8ef1f7d --parts 2a 3a --rounds 3 --precision float32

Runs each commit's own benchmarks/bench.py, part by part and the two in turn, so that what else the machine does meets
both. Prints of each row the shortest of its medians at either commit.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from common.arguments import Parser, positive_int
from common.errors import UserError, run_script


def output_of(*command):
    """Standard output of a command that runs in the project's folder."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{' '.join(map(str, command))}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
    return done.stdout.strip()


def measure(tree, part, precision, output):
    """One run of the benchmark of a folder -> {(part, what): median in seconds}."""
    output_of(sys.executable, tree / "benchmarks" / "bench.py", "--parts", part, "--precision", precision,
              "--output", output)
    rows = json.loads(output.read_text(encoding="utf-8"))["rows"]
    return {(row["part"], row["what"]): row["ours_s"] for row in rows}


def main():
    parser = Parser(__doc__)
    parser.add_argument("before", help="a commit")
    parser.add_argument("after", nargs="?", help="another one; this folder as it is if left out")
    parser.add_argument("--parts", nargs="+", default=["1a", "1b", "2a", "2b", "3a", "3c", "reading"],
                        help="of bench.py, which both commits must have")
    parser.add_argument("--rounds", type=positive_int, default=2, help="runs of each part at each commit")
    parser.add_argument("--precision", default="auto", help="of bench.py; auto may differ between the two")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trees = [folder / "before", folder / "after" if options.after else ROOT]
        for tree, commit in zip(trees, filter(None, [options.before, options.after])):
            output_of("git", "archive", "--output", folder / "commit.zip", commit)
            shutil.unpack_archive(folder / "commit.zip", tree)
        print(f"before {output_of('git', 'describe', '--always', options.before)} | after "
              f"{output_of('git', 'describe', '--always', options.after or '--dirty')} | the shortest of "
              f"{options.rounds} medians, {options.precision}")
        print(f"{'part':4} {'what':40} {'before':>12} {'after':>12} {'times as fast':>14}")
        for part in options.parts:
            found = [[measure(tree, part, options.precision, folder / "bench.json") for tree in trees]
                     for _ in range(options.rounds)]
            for row in filter(found[0][1].get, found[0][0]):            # what both have
                before, after = (min(rows[row] for rows in some) for some in zip(*found))
                print(f"{row[0]:4} {row[1]:40} {1e3 * before:9,.1f} ms {1e3 * after:9,.1f} ms "
                      f"{before / after:13.2f}x", flush=True)


if __name__ == "__main__":
    run_script(main)
