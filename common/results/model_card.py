"""Model cards: what whoever is handed a trained model should know of it, as model_card.md beside it."""

import string
import sys
from pathlib import Path

from common.errors import UserError
from common.files import replace_file
from common.parts import PARTS
from common.results.comparisons import calibration_error, confusion
from common.results.sheets import escaped, text_table
from common.results.trials import data_of, mean

TEMPLATE = string.Template(Path(__file__).with_suffix(".md").read_text(encoding="utf-8"))


def write_model_card(trial, predictions):
    """Write the card of a Trial beside the model of its first run, of which the Predictions are, or None.

    A folder that cannot be written costs a line.
    """
    run, part, errors = trial.first, PARTS[trial.first.part], ""
    results = [{"tested on": "whole texts" if length == "whole" else f"crops of {length} tokens",
                "accuracy (%)": mean(values)} for length, values in trial.accuracies().items()]
    if run.part == "3a" and run.table:
        results = [{"tested on": "the next word", "perplexity": trial.tested("perplexity", 1),
                    "accuracy (%)": trial.tested("next-word accuracy")}]
    if predictions:
        measures = [f"{name} {value:.1f} %" for name, value in list(confusion(predictions, run.labels).items())[-3:]]
        errors = (f"On whole texts, for the label {escaped(run.labels[True])}: {', '.join(measures)}; predicted "
                  f"probabilities are {calibration_error(predictions):.1f} points off on average.")
    card = TEMPLATE.substitute(
        part=run.part, title=part.title, model=part.model, settings=escaped(trial.title), errors=errors,
        epochs=run.epochs(), seed=run.options.get("seed"), data=data_of(run), weights=run.weights,
        results=text_table(results) if results else "Not tested.",
        spread=f"± is the standard deviation over {trial.spread()}." if trial.spread() else "One run.",
        command=(f'python {part.test} --output FOLDER --data DATA --review "Your text."' if part.test else
                 f"python 3b/generate_review.py --language-model FOLDER/{part.model} --data DATA"),
        options=text_table([{"option": name.replace("_", " "), "value": str(value)}
                            for name, value in run.options.items()]))
    try:
        with replace_file(run.folder / "model_card.md") as file:
            file.write(card)
    except UserError as error:
        print(f"{error}; no model card", file=sys.stderr)
