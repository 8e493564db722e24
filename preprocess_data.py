"""Turn film reviews and word vectors into the files that every part reads.

    python preprocess_data.py --sample --glove train                      # no download, seconds
    python preprocess_data.py --download --glove glove.840B.300d.zip      # the real reviews
    python preprocess_data.py --imdb aclImdb_v1.tar.gz --glove train      # the same, from a file
    python preprocess_data.py --csv train.csv test.csv --text review --label sentiment      # texts of one's own

Reads the Large Movie Review Dataset as it is published, or texts with any two labels (docs/data.md),
tokenises them with NLTK on all cores and writes to --output: the dictionary, one line of token ids
a review, a table of what each line is, statistics and, with --glove, word vectors and
the same reviews in their ids (preprocessed_data/README.md describes each file). The 100,000 reviews
take about four minutes of one core and 1 GiB of memory; --glove train takes three minutes more on two
cores and 1.6 GiB. Started again with the same sources it leaves the files as they are.
"""

import importlib.metadata
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))        # PYTHONSAFEPATH leaves it out

from common.arguments import Parser, number, path, positive_int
from common.errors import run_script
from common.files import claim_folder, file_checksum, find_temporary_folder
from common.parts import ROOT
from common.preprocessing.text_cleaning import argument_text


def vectors(text):
    """An argparse type: what --glove takes, a path but for two words."""
    return text if text in ("train", "download") else path(text)


def parse_options():
    parser = Parser(__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--imdb", metavar="PATH", type=path,
                        help="aclImdb_v1.tar.gz, the .tar in it or a .zip (read without unpacking them), an unpacked "
                             "aclImdb folder or the one above it, or the folder of Hugging Face's parquet files")
    source.add_argument("--download", action="store_true",
                        help="fetch aclImdb_v1.tar.gz (84 MB) into the output folder first, unless it is there")
    source.add_argument("--sample", action="store_true",
                        help="2,400 short reviews that the code composes itself; needs no download")
    source.add_argument("--csv", metavar=("TRAIN", "TEST"), nargs=2, type=path,
                        help="texts of one's own: two CSV files with a column of texts and one of two labels")
    parser.add_argument("--text", metavar="COLUMN", type=argument_text,
                        help="of --csv: name of the column of texts (default: text)")
    parser.add_argument("--label", metavar="COLUMN", type=argument_text,
                        help="of --csv: name of the column of labels, any two, of which the later one by number or "
                             "alphabet counts as positive; training texts without one are unlabelled (default: label)")
    parser.add_argument("--glove", metavar="PATH", type=vectors,
                        help="word vectors, for 1b, 2b and 3a's recipes: a file such as glove.840B.300d.zip "
                             "(.txt, .vec, .zip or .gz); or `train` to learn them from the training reviews; or "
                             "`download` to fetch GloVe 840B (2.2 GB) into the output folder first, unless it is there")
    parser.add_argument("--glove-words", metavar="N", type=positive_int, default=100_000,
                        help="word vectors to keep, the first in the file")
    parser.add_argument("--output", metavar="DIR", type=path, default=ROOT / "preprocessed_data",
                        help="folder that the files are written to")
    parser.add_argument("--workers", metavar="N", type=positive_int,
                        help="tokenising processes (default: one on each core that this process may use)")
    parser.add_argument("--seed", type=number(int, 0, 2 ** 32 - 1), default=0,
                        help="seed of the sample and of trained vectors")
    options = parser.parse_args()
    for name in "text", "label":
        if getattr(options, name) is not None and not options.csv:
            parser.error(f"--{name}: is for --csv TRAIN TEST; leave it out")
    words = iter(sys.argv[1:])
    options.arguments = [argument_text(word) for word in words
                         if not (word in ("--output", "--workers") and next(words))
                         and not word.startswith(("--output=", "--workers="))]
    return options


def made_from(options):
    """What all preprocessed files depend on, a dict of plain values."""
    reviews = [options.seed] if options.sample else [
        fingerprint(path) for path in options.csv or [options.imdb] if path]
    vectors = options.glove if options.glove in (None, "train", "download") else fingerprint(options.glove)
    code = [ROOT / "preprocess_data.py", *sorted((ROOT / "common" / "preprocessing").glob("*.py"))]
    return {"reviews": [reviews, options.text, options.label],
            "vectors": vectors and [vectors, options.glove_words, options.seed],
            "code": [importlib.metadata.version("nltk"), *map(file_checksum, code)]}


def fingerprint(path):
    """CRC-32 of a file, or number, bytes and last change of a folder's files; None of a pipe, or of nothing."""
    if path.is_file():
        return file_checksum(path)
    found = [file.lstat() for file in path.rglob("*")]
    return found and [len(found), sum(status.st_size for status in found),
                      max(status.st_mtime_ns for status in found)] or None


def is_made(folder, sources):
    """Whether the files in a folder are there as they were made from these sources."""
    from common.data.token_files import CHECKSUMS, read_json        # NumPy, which --help does not need

    checksums = read_json(folder / CHECKSUMS)
    known = checksums.pop("made from", None) or {}
    return None not in sources["reviews"][0] and all(
        known.get(name) == value for name, value in sources.items() if value is not None) and all(
        (folder / name).is_file() and file_checksum(folder / name) == checksum for name, checksum in checksums.items())


def main():
    options = parse_options()
    find_temporary_folder(options.output)
    with claim_folder(options.output):
        sources = made_from(options)
        if is_made(options.output, sources):
            print(f"{options.output}: made from these already; remove checksums.json there to make the files anew")
            return
        from common.preprocessing.preprocess import preprocess  # NLTK, which --help and refusals do not need
        preprocess(options, sources)


if __name__ == "__main__":
    run_script(main, less_memory="use fewer --workers")
