"""Part 3b: let the language model write reviews.

    python 3b/generate_review.py
    python 3b/generate_review.py --prompt "I love this movie." "i hate" --temperature 0.5 1.0 1.3 --length 100

Reads the language model of part 3a; prints the reviews and writes generated_reviews.txt to --output.
A prompt is cut into words as preprocessing did, or at its spaces where NLTK or its Punkt data is not
there. A lower temperature makes the words likelier and duller. With --explain each review is followed
by its words with the probabilities that they were drawn with.
"""

import math
import re
import sys
from pathlib import Path

FOLDER, PROJECT, *_ = Path(__file__).resolve().parents
sys.path[:0] = [str(FOLDER), str(PROJECT), str(PROJECT / "3a")]

from common.arguments import number, positive_int
from common.errors import UserError, run_script
from common.options import Option, parse_options
from common.parts import ROOT

GENERATION = {
    "prompt": Option("generation", ["a", "i"], nargs="+", metavar="TEXT", help="beginnings, one review each"),
    "temperature": Option("generation", [0.5, 1.0], nargs="+", type=number(float, 0.01, 100), metavar="T",
                          help="what the logits are divided by; each value gives a review of every prompt"),
    "length": Option("generation", 150, type=positive_int, metavar="N", help="words of a review, with the prompt's"),
    "top_p": Option("generation", 1.0, type=number(float, 0, 1, open_low=True), metavar="P",
                    help="sample from the likeliest words that together have probability P"),
    "explain": Option("generation", False, action="store_true",
                      help="show the probability that each word was drawn with"),
}


def readable(words):
    """Tokens as a person would write them: `did n't` becomes `didn't`, and no space stands before a full stop."""
    text = " ".join(words)
    text = re.sub(r" (n't|'s|'re|'ve|'ll|'d|'m)\b", r"\1", text)
    text = re.sub(r"\b(can(?= not\b)|got(?= ta\b)|(?:gim|lem)(?= me\b)|(?:gon|wan)(?= na\b)) ", r"\1", text)
    text = re.sub(r" ([.,;:!?%)\]}]|\.\.\.)", r"\1", text)
    text = re.sub(r"([(\[{$#]) ", r"\1", text)
    text = re.sub(r"`` ?| ?''", '"', text)
    text = re.sub(r"\bi\b", "I", text)
    return re.sub(r"(^|[.!?]\"? )([a-z])", lambda match: match[1] + match[2].upper(), text)


def prompt_tokenizer(folder):
    """The function that cuts a prompt into words: preprocessing's, or at the spaces where that one is not there."""
    from common.preprocessing.text_cleaning import clean
    from common.testing.own_reviews import load_tokenizer

    try:
        return load_tokenizer(folder, fetch=False)
    except UserError:
        return lambda prompt: clean(prompt).lower().split()


def encode_prompt(prompt, vocabulary, tokenize):
    """Token ids of a prompt's words, as the function tokenize cuts them.

    Raises:
        UserError: the prompt has no word that the model knows.
    """
    from common.data.token_files import token_ids
    from common.preprocessing.text_cleaning import argument_text

    prompt = argument_text(prompt)
    words = tokenize(prompt)
    ids = token_ids(words, vocabulary).tolist()
    if not any(ids):
        raise UserError(f"--prompt '{prompt}': no word that the model knows; give one, such as 'the'")
    if not all(ids):
        unknown = " ".join(word for word, token_id in zip(words, ids) if not token_id)
        print(f"not among the model's words, so read as the unknown token: {unknown}", file=sys.stderr)
    return ids


def main():
    options = parse_options(__doc__, __file__, language_model=ROOT / "3a" / "language.model", **GENERATION)

    # Only now, since torch takes a second to import, and --help should not.
    from common.checkpoints import load_checkpoint
    from common.devices import autocast, describe_run, set_up
    from common.files import check_folder, replace_file
    from RNN_language_model import RNN_language_model
    from sampling import generate

    set_up(options)
    checkpoint = load_checkpoint(options.language_model, "3a", options.device)
    if checkpoint["options"].get("reversed"):
        raise UserError(f"{options.language_model}: predicts the word before, and would write reviews from their end; "
                        "train one without --reversed")
    vocabulary = checkpoint["vocabulary"]
    model = RNN_language_model(**checkpoint["arguments"])
    model.load_state_dict(checkpoint["model"])
    model.to(options.device).eval()
    check_folder(options.output)
    print(f"part 3b | {describe_run(options)}")
    tokenize = prompt_tokenizer(options.data)
    prompts = [encode_prompt(prompt, vocabulary, tokenize) for prompt in options.prompt]

    lines = []
    for temperature in options.temperature:
        with autocast(options):
            reviews, drawn_with = generate(model, prompts, options.length, temperature, options.top_p)
        for prompt, review, probabilities in zip(options.prompt, reviews.tolist(), drawn_with.tolist()):
            words = [vocabulary[k - 1] if k else "<unk>" for k in review]
            lines += [f"temperature {temperature:g}, prompt {prompt!r}", readable(words)]
            if options.explain:
                lines.append(" ".join(word if math.isnan(probability) else f"{word}({probability:.2f})"
                                      for word, probability in zip(words, probabilities)))
            lines.append("")
    print("\n" + "\n".join(lines), end="")
    path = options.output / "generated_reviews.txt"
    with replace_file(path) as file:
        file.write("\n".join(lines))
    print(f"\nwrote {path}")


if __name__ == "__main__":
    run_script(main)
