"""Whether a model that is built on here has seen reviews that are held out or left out here."""

from common.errors import UserError

# Which films are held out depends on all of these: without the duplicates the films have other numbers of reviews.
HOLDOUT = ["validation", "seed", "drop_duplicates"]


def refuse_other_holdout(path, model, trained_with, options):
    """Raise UserError where a model was trained on reviews that are held out here, or on duplicates of test reviews.

    Args:
        path: what the error names first; model: what it calls the model.
        trained_with: dict of the options that the model was trained with; options: of parse_options.
    """
    for name in HOLDOUT if options.validation else ["drop_duplicates"] if options.drop_duplicates else []:
        if trained_with[name] != getattr(options, name):
            option = "--" + name.replace("_", "-")
            raise UserError(f"{path}: {model} was trained with another {option}, on reviews that are left out here; "
                            f"train it with the same {option}")
