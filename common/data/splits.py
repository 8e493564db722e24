"""Training, validation and test reviews."""

import sys

import numpy as np

from common.data.pseudo_labels import read_pseudo_labels
from common.data.reviews import read_reviews
from common.errors import UserError
from common.options import HOLDOUT


def split_by_film(reviews, fraction, seed):
    """Hold out about `fraction` of the labelled reviews for validation -> (train, validation).

    Reviews of one film resemble each other, and the test films are others than the training
    films; so no film has reviews on both sides. Reviews of no known film count as one film each. The films are
    drawn from those of the labelled reviews, so that a language model holds out what a classifier does.
    """
    names = np.where(reviews.films == "", [f"review {k}" for k in range(len(reviews))], reviews.films)
    unknown = np.count_nonzero(reviews.films == "")
    if unknown:
        print(f"--validation: splits by review, not by film, where the film is not known: {unknown:,} of "
              f"{len(reviews):,} reviews", file=sys.stderr)
    labelled = ~reviews.labels.isnan().cpu().numpy()
    films, counts = np.unique(names[labelled], return_counts=True)
    order = np.random.default_rng(seed).permutation(len(films))
    reviews_before = counts[order].cumsum() - counts[order]
    held_out = np.zeros(len(films), bool)
    held_out[order[reviews_before < fraction * labelled.sum()]] = True
    mask = np.isin(names, films[held_out])
    if mask.all():
        raise UserError(f"--validation {fraction}: leaves no training reviews, since they are of "
                        f"{len(films)} films; hold out less")
    return reviews.select(~mask), reviews.select(mask)


def read_splits(options, words="imdb", unlabelled=False):
    """Training, validation and test reviews as the options ask for them.

    Returns:
        (reviews, vocabulary): dict of "train", "test" and, with --validation, "validation" Reviews,
        and the list of words whose ids are 1, 2, ...

    Raises:
        UserError: a file is missing or broken, or a split has fewer than two reviews.
    """
    def read(split):
        reviews, vocabulary = read_reviews(options.data, split, words, options.vocab_size, options.device,
                                           texts=bool(options.drop_duplicates or options.validation))
        return reviews.reversed() if getattr(options, "reversed", False) else reviews, vocabulary

    def keep(some):
        return some.without(test) if options.drop_duplicates else some

    train, vocabulary = read("train")
    test, _ = read("test")
    reviews = {"train": keep(train) if unlabelled else keep(train).labelled(), "test": test.labelled()}
    if options.validation:
        reviews["train"], reviews["validation"] = split_by_film(reviews["train"], options.validation, options.seed)
    if getattr(options, "pseudo_labels", None):
        unlabelled_reviews, trained_with = read_pseudo_labels(train, options)
        refuse_other_holdout(options.pseudo_labels, "its teacher", trained_with, options)
        unlabelled_reviews = keep(unlabelled_reviews)
        if options.validation:
            held_out = np.setdiff1d(reviews["validation"].films, [""])
            unlabelled_reviews = unlabelled_reviews.select(~np.isin(unlabelled_reviews.films, held_out))
        reviews["train"] = reviews["train"].join(unlabelled_reviews)
    if options.validation:          # some reviews of other films read the same as one that is held out
        reviews["train"] = reviews["train"].without(reviews["validation"])
    for split, some in reviews.items():
        check_count(some, split, options.data)
    return reviews, vocabulary


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


def check_count(reviews, split, folder):
    if len(reviews) < 2:
        raise UserError(f"{folder}: {len(reviews)} {split} reviews; at least two are needed")
