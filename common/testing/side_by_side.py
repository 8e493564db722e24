"""One review explained by several trained models, a line each.

    python -m common.testing.side_by_side "Not a bad film at all." 1a 2a 3c

names the folders of trained parts. A line tells what the model calls the review, how sure it is, and what each word
adds: in colours on a terminal, in numbers elsewhere.
"""

import sys

from common.arguments import Parser, path
from common.errors import UserError, run_script
from common.parts import ROOT


def main():
    parser = Parser(__doc__)
    parser.add_argument("review", help="the review")
    parser.add_argument("folders", nargs="+", type=path, help="folders of trained parts")
    parser.add_argument("--data", type=path, default=ROOT / "preprocessed_data",
                        help="folder of the preprocessed files")
    options = parser.parse_args()

    from common.preprocessing.text_cleaning import argument_text
    from common.results.explained import as_text
    from common.testing.own_reviews import explain_texts, heading_of, load_tokenizer
    from common.testing.part_test import load_test

    tokenize = load_tokenizer(options.data)
    for folder in options.folders:
        run = load_test(folder, f"--data={options.data}")
        [entry] = explain_texts(run, tokenize, [argument_text(options.review)], with_contributions=True)
        if not entry:
            raise UserError("the review: is empty; give it some words")
        print(f"{folder}: {heading_of(entry, run.labels)}  {as_text(entry, sys.stdout.isatty())}", flush=True)


if __name__ == "__main__":
    run_script(main)
