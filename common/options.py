"""The options of the parts' scripts: one definition each, the same meaning everywhere.

Nothing here imports torch, so that --help and refusals come at once.
"""

import argparse
import os
from pathlib import Path

from common.arguments import Parser, number, path, positive_int
from common.errors import UserError
from common.files import find_temporary_folder
from common.parts import ROOT

# Options that do not change what is learned, but for the seed.
SHAPES_NOTHING = {"seed", "test_every"}
# Options that decide which films are held out: without the duplicates the films have other numbers of reviews.
HOLDOUT = ["validation", "seed", "drop_duplicates"]
# Options that may differ between a stopped run and the one that resumes it.
PLACES = {"data", "output", "language_model", "restart", "debug", "save_minutes"}
# Where the labels lie that the best recipes learn the unlabelled reviews from.
PSEUDO_LABELS = ROOT / "results" / "teacher" / "pseudo_labels.npz"


class Option:
    """An option that only one script or layer has: its group in --help, default, and arguments of add_argument."""

    def __init__(self, group, default, **arguments):
        self.group, self.default, self.arguments = group, default, arguments


GROUPS = {
    "training": {
        "recipe": dict(help="named settings, of which `assignment` is the assignment's own; other options override it"),
        "epochs": dict(type=positive_int, metavar="N", help="passes over the training reviews"),
        "batch_size": dict(type=number(int, 2), metavar="N", help="reviews in a batch"),
        "sequence_length": dict(type=number(int, 2), metavar="N", help="tokens of a training crop"),
        "learning_rate": dict(type=number(float, 0, open_low=True), metavar="RATE", help="initial learning rate"),
        "optimizer": dict(choices=["adam", "sgd"], help="Adam, or SGD with momentum 0.9"),
        "schedule": dict(choices=["constant", "step", "one-cycle"],
                         help="of the learning rate: step divides it by ten every --step-epochs; one-cycle warms up to "
                              "--learning-rate over 30 %% of the steps, then decays to zero"),
        "step_epochs": dict(type=positive_int, metavar="N", help="epochs between the steps of --schedule step"),
        "clip_norm": dict(type=number(float, 0), metavar="NORM", help="largest norm of the gradient; 0 does not clip"),
        "precise_batch_norm": dict(action=argparse.BooleanOptionalAction,
                                   help="test with statistics of 60 training batches"),
        "fixed_batch_norm": dict(action=argparse.BooleanOptionalAction,
                                 help="train with batch-norm statistics measured on 60 batches before the first step"),
        "adversarial": dict(type=number(float, 0), metavar="SIZE",
                            help="train on word vectors moved against the label too, by this share of their length"),
        "patience": dict(type=number(int, 0), metavar="N",
                         help="stop after N epochs without a lower validation loss and keep the best epoch's weights; "
                              "0 trains all and keeps the last")},
    "model": {
        "hidden_units": dict(type=positive_int, metavar="N",
                             help="width of the hidden layers, and of a trained embedding"),
        "hidden_layers": dict(type=positive_int, metavar="N", help="hidden layers before the output"),
        "lstm_layers": dict(type=positive_int, metavar="N",
                            help="LSTM layers, each with batch normalisation and locked dropout"),
        "pooling": dict(choices=["max", "mean", "concat"],
                        help="over time; concat is the last timestep, mean and maximum, without padding"),
        "dropout": dict(type=number(float, 0, 0.99), metavar="P",
                        help="probability that a hidden unit is dropped in training"),
        "ngrams": dict(type=number(int, 0, 5), metavar="N",
                       help="ensemble the network with a classifier of n-grams of up to N words; 0 for none"),
        "ngram_weight": dict(type=number(float, 0, 1), metavar="W",
                             help="weight of the n-grams in the ensemble logit"),
        "ngram_learning_rate": dict(type=number(float, 0, open_low=True), metavar="RATE",
                                    help="initial learning rate of the n-grams; by default --learning-rate")},
    "data": {
        "vocab_size": dict(type=positive_int, metavar="N",
                           help="known words, the most frequent ones; the others are the unknown token"),
        "drop_duplicates": dict(action=argparse.BooleanOptionalAction,
                                help="leave out training reviews that read the same as a test review"),
        "reversed": dict(action=argparse.BooleanOptionalAction,
                         help="read each review from its last word to its first"),
        "pseudo_labels": dict(type=path, metavar="FILE",
                              help="train on the unlabelled reviews too, with these labels, which a test script "
                                   "writes with --unlabelled"),
        "validation": dict(type=number(float, 0, 0.9), metavar="SHARE",
                           help="share of the training reviews held out for validation, by film"),
        "language_model": dict(type=path, metavar="FILE", help="language model that part 3a trained")},
    "evaluation": {
        "test_every": dict(type=positive_int, metavar="N", help="test every N epochs, and after the last"),
        "lengths": dict(nargs="+", type=positive_int, metavar="N", help="tokens of the crops to test"),
        "review": dict(nargs="+", action="extend", metavar="TEXT", help="classify these reviews instead"),
        "reviews": dict(type=path, metavar="FILE",
                        help="classify a file of reviews, one a line or a .csv, and write reviews.csv; - is standard "
                             "input"),
        "text": dict(metavar="COLUMN", help="column of --reviews FILE.csv that the reviews are in, by default text"),
        "explain": dict(action="store_true", help="show what each word adds to the logit"),
        "mistakes": dict(type=number(int, 0), metavar="N",
                         help="explain the N test reviews that the model is most wrong about, in place of the table"),
        "unlabelled": dict(action="store_true",
                           help="label the unlabelled training reviews instead, and write pseudo_labels.npz")},
    "saving": {
        "save_minutes": dict(type=number(float, 0), metavar="N",
                             help="save within an epoch too, every N minutes"),
        "restart": dict(action="store_true", help="discard earlier results in --output and retrain")},
}

# What the training scripts have in common; a part gives its own value where the assignment does.
TRAINING_DEFAULTS = dict(
    recipe="assignment", batch_size=200, optimizer="adam", learning_rate=0.001, schedule="constant", patience=0,
    drop_duplicates=False, validation=0.0, save_minutes=10.0, restart=False)

# What those of the classifiers have in common.
CLASSIFIER_DEFAULTS = TRAINING_DEFAULTS | dict(dropout=0.5, pseudo_labels=None, ngrams=0,
                                               ngram_weight=0.75, ngram_learning_rate=None)

# What the test scripts have in common.
TEST_DEFAULTS = dict(review=[], reviews=None, text=None, explain=False, mistakes=0, unlabelled=False)
LSTM_TEST_DEFAULTS = TEST_DEFAULTS | dict(batch_size=400, lengths=list(range(50, 501, 50)))


def parse_options(description, script, argv=None, presets=None, **defaults):
    """Read the options of a part's script; common.devices.set_up() then follows them.

    Args:
        description: shown by --help; script: its __file__, in whose folder --output is by default.
        argv: arguments; None takes those of the command line.
        presets: dict of dicts of dicts: for each option that names a set of options, such as "recipe", the sets
            by name. Options on the command line override it.
        defaults: the options of GROUPS that this script has, with their default values, or Options of its own. One
            whose default is a list takes several values.

    Returns:
        argparse.Namespace with data, output, seed, device, precision, the script's own options, and overridden, the
        names of those that shape what is learned and are not as the recipe has them.

    Raises:
        UserError: an option that there is not, or options that contradict each other.
    """
    spin_briefly()
    presets = presets or {}
    parser = build_parser(description, script, presets, defaults)
    recipe = vars(parser.parse_args([]))
    given = vars(parser.parse_args(argv, argparse.Namespace(**dict.fromkeys(recipe))))      # None: not given
    given = {name: value for name, value in given.items() if value is not None}
    for name, sets in presets.items():
        recipe |= sets[given.get(name, recipe[name])]
    options = argparse.Namespace(**recipe | given)
    refuse(options, recipe)
    kept = SHAPES_NOTHING | PLACES | {"device", "precision", *presets}
    options.overridden = [name for name, value in vars(options).items()
                          if name not in kept and plain(value) != plain(recipe[name])]
    find_temporary_folder(options.output)
    return options


def spin_briefly():
    """Let threads that wait for each other sleep after some 0.1 milliseconds, unless the environment says otherwise.

    GNU's OpenMP lets them spin for 300,000 rounds, milliseconds in which they take the cores from those that they wait
    for where other jobs run: a step then takes up to thirty times as long. It reads this once, when torch is imported.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "3000")


def build_parser(description, script, presets, defaults):
    parser = Parser(description, epilog=describe_recipes(presets))
    titles = [*GROUPS, *(default.group for default in defaults.values() if isinstance(default, Option)), "machine"]
    groups = {title: parser.add_argument_group(title) for title in dict.fromkeys(titles)}
    in_order = [name for group in GROUPS.values() for name in group if name in defaults]
    for name, default in {**dict.fromkeys(in_order), **defaults}.items():
        if isinstance(default, Option):
            group, arguments, default = default.group, default.arguments, default.default
        else:
            group, arguments = next((group, some[name]) for group, some in GROUPS.items() if name in some)
            arguments = {"nargs": "+"} | arguments if isinstance(default, list) and default else arguments
        choices = {"choices": list(presets[name])} if name in presets else {}
        groups[group].add_argument("--" + name.replace("_", "-"), default=default, **arguments | choices)
    groups["data"].add_argument("--data", type=path, metavar="DIR", default=ROOT / "preprocessed_data",
                                help="folder of the preprocessed files")
    groups["saving"].add_argument("--output", type=path, metavar="DIR", default=Path(script).resolve().parent,
                                  help="folder that results are written to")
    machine = groups["machine"]
    machine.add_argument("--seed", type=number(int, 0, 2 ** 32 - 1), metavar="N", default=0, help="random seed")
    machine.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto",
                         help="auto takes the GPU where there is one")
    machine.add_argument("--precision", choices=["auto", "float32", "tf32", "bfloat16"], default="auto",
                         help="of matrix multiplications; auto takes the faster one")
    return parser


def describe_recipes(presets):
    """What each recipe sets, as text below the options of --help."""
    def shown(value):                   # as it is typed in the project's folder
        return value.relative_to(ROOT).as_posix() if isinstance(value, Path) else plain(value)
    recipes = presets.get("recipe", {})
    lines = [f"  {name + ':':<12}" + (" ".join(typed(option, shown(value)) for option, value in some.items())
                                     or "the defaults above") for name, some in recipes.items()]
    return "\n".join(["recipes:", *lines]) if len(recipes) > 1 else None


def refuse(options, recipe):
    """Raise UserError for an option that works against another, or is nothing without it.

    Args:
        recipe: dict of the options as the recipe, or else the script, has them, which may be without effect.
    """
    get = vars(options).get             # a script has some of them
    own = get("review") or get("reviews")
    changed = {name for name, value in recipe.items() if get(name) != value}
    for contradicted, message in [
            ("step_epochs" in changed and get("schedule") != "step",
             f"--step-epochs {get('step_epochs')}: has no effect without --schedule step; add that, or leave it out"),
            ("ngram_weight" in changed and not get("ngrams"),
             f"--ngram-weight {get('ngram_weight')}: has no effect without --ngrams; add that, or leave it out"),
            ("ngram_learning_rate" in changed and not get("ngrams"),
             f"--ngram-learning-rate {get('ngram_learning_rate')}: has no effect without --ngrams; add that, or leave "
             "it out"),
            ("layer_decay" in changed and get("fine_tune") == "last",
             f"--layer-decay {get('layer_decay')}: has no effect without --fine-tune lstm or all; leave it out"),
            (get("patience") and not get("validation"),
             "--patience: needs validation reviews; hold some out with --validation 0.1"),
            (get("patience") and get("schedule") == "one-cycle",
             "--patience: would end --schedule one-cycle before its learning rate has decayed; leave one of them out"),
            (get("fixed_batch_norm") and get("precise_batch_norm"),
             "--fixed-batch-norm: keeps its statistics, and --precise-batch-norm would measure others; leave one of "
             "them out"),
            (get("adversarial") and not get("fixed_batch_norm"),
             "--adversarial: statistics of the batch would mix the directions of its reviews; add --fixed-batch-norm"),
            (get("text") and not get("reviews"),
             "--text: names a column of a table; give the table with --reviews FILE.csv"),
            (get("mistakes") and get("explain"), "--explain: --mistakes explains already; leave it out"),
            ("reviews" in options and get("explain") and not own,      # 3b explains what it writes
             "--explain: needs reviews; give some with --review or --reviews"),
            (get("unlabelled") and own,
             "--unlabelled: takes the training reviews; leave --review and --reviews out"),
            (get("mistakes") and (own or get("unlabelled")),
             "--mistakes: is about the test reviews; leave --review, --reviews and --unlabelled out")]:
        if contradicted:
            raise UserError(message)


def typed(name, value):
    """An option and its value, as in plain_options, as they are typed."""
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{option}" if value else f"--no-{option}"
    if value == "None":
        return f"no --{option}"
    value = str(value).strip("[]").replace(", ", " ")           # of several values
    return f"--{option} {value}".rstrip()


def plain_options(options):
    """The options as a dict of plain values, for records and checkpoints.

    Files stand by their names, wherever they lie, and a GPU by its kind: of several processes each has its own.
    """
    # The names left out are no options, but what is said of some.
    return {name: plain(value) for name, value in vars(options).items() if name not in ("auto_precision", "overridden")}


def plain(value):
    value = value.name if isinstance(value, Path) else getattr(value, "type", value)        # of a torch.device
    return value if isinstance(value, (int, float, str)) else str(value)
