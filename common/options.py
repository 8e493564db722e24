"""The options of all scripts: one definition each, the same meaning everywhere."""

import argparse
import os
from pathlib import Path

import torch

from common.arguments import Parser, number, positive_int
from common.errors import UserError
from common.processes import expected, processes

ROOT = Path(__file__).resolve().parent.parent


OPTIONS = {
    "model": dict(help="the assignment's network, or another of the course, each with defaults of its own"),
    "epochs": dict(type=positive_int, help="times that every training review is seen"),
    "batch_size": dict(type=number(int, 2), help="reviews a batch"),
    "hidden_units": dict(type=positive_int, help="width of the embedding and of the hidden layers"),
    "hidden_layers": dict(type=positive_int, help="hidden layers between the mean word vector and the output"),
    "lstm_layers": dict(type=positive_int, help="LSTM layers, each with batch normalisation and locked dropout"),
    "cell": dict(choices=["lstm", "course"],
                 help="of SentimentClassifier: course has a sigmoid for the cell gate's tanh, and a ReLU layer behind"),
    "pooling": dict(choices=["max", "mean"], help="pooling of the hidden units over time"),
    "dropout": dict(type=number(float, 0, 0.99), help="probability that a hidden unit is dropped in training"),
    "vocab_size": dict(type=positive_int, help="most frequent words that are known; all others are the unknown token"),
    "sequence_length": dict(type=number(int, 2), help="tokens of the crops in training"),
    "lengths": dict(nargs="+", type=positive_int, metavar="N",
                    help="tokens of the crops that are tested; whole reviews come last"),
    "crop": dict(choices=["random", "last"], help="random crops of the reviews, or their last tokens"),
    "ngrams": dict(type=number(int, 0, 5),
                   help="words of the longest n-grams that count beside the network, weighted by naive Bayes and "
                        "learned; 0 has none"),
    "optimizer": dict(choices=["adam", "sgd"], help="adam, or sgd with momentum 0.9"),
    "learning_rate": dict(type=number(float, 0, open_low=True), help="learning rate at the start"),
    "schedule": dict(choices=["constant", "step", "plateau", "one-cycle"],
                     help="step: the learning rate is divided by ten every --step-epochs; plateau: whenever the "
                          "validation loss (training loss without --validation) has not fallen for two epochs; "
                          "one-cycle: it rises to --learning-rate in the first 30 %% of the steps, then falls to 0, "
                          "and the momentum goes the other way"),
    "step_epochs": dict(type=positive_int, help="epochs between two steps of --schedule step"),
    "clip_norm": dict(type=number(float, 0), help="largest norm of all gradients together; 0 does not clip"),
    "drop_stop_words": dict(action="store_true", help="leave function words (the, of, was, ...) out of the reviews"),
    "drop_copies": dict(action=argparse.BooleanOptionalAction,
                        help="leave out training reviews that read the same as a test review"),
    "pseudo_labels": dict(type=Path, metavar="FILE",
                          help="pseudo_labels.npy of a test script: the unlabelled reviews are learned from too, with "
                               "these labels; with --validation, of a model that was trained with the same, and with "
                               "the same --seed and --drop-copies"),
    "validation": dict(type=number(float, 0, 0.9),
                       help="share of the training reviews held out for validation, by film; 0 holds none out"),
    "validate_every": dict(type=number(int, 0),
                           help="steps between two looks at the validation reviews within an epoch; 0 has none"),
    "keep": dict(choices=["last", "loss", "accuracy"],
                 help="the weights that are kept at the end: the last, or those of the epoch with the lowest "
                      "validation loss or the highest validation accuracy; needs --validation"),
    "patience": dict(type=number(int, 0),
                     help="stop after so many epochs without a better one, and keep that one's weights: by validation "
                          "loss, or as --keep says; needs --validation; 0 never stops early"),
    "test_every": dict(type=positive_int, help="epochs between two looks at the test reviews"),
    "save_every": dict(type=positive_int, help="epochs between two checkpoints"),
    "save_minutes": dict(type=number(float, 0),
                         help="minutes within an epoch between two saves of all that is needed to go on"),
    "restart": dict(action="store_true", help="train anew, whatever an earlier run left in --output"),
    "fine_tune": dict(choices=["last", "lstm", "all"],
                      help="what learns beside the output: the last LSTM layer, all LSTM layers, or all with the "
                           "embedding"),
    "layer_decay": dict(type=number(float, 0, 1, open_low=True),
                        help="the learning rate of each layer as a share of that of the layer above it"),
    "prime": dict(nargs="+", metavar="WORDS", help="beginnings of the reviews, one review each"),
    "temperature": dict(nargs="+", type=number(float, 0.01), metavar="T",
                        help="what the logits are divided by; each value gives a review of every prime"),
    "length": dict(type=positive_int, help="words of a review, the prime's included"),
    "top_k": dict(type=number(int, 0), help="sample from so many likeliest words; 0 samples from all"),
    "top_p": dict(type=number(float, 0, 1, open_low=True),
                  help="sample from the likeliest words that together have this probability"),
    "raw": dict(action="store_true", help="print the tokens as they are"),
    "language_model": dict(type=Path, metavar="FILE", help="language model that part 3a trained"),
    "review": dict(nargs="+", action="extend", metavar="TEXT",
                   help="reviews to classify, in place of the test reviews"),
    "reviews": dict(type=Path, metavar="FILE", help="more of them, one a line; - is standard input"),
    "unlabelled": dict(action="store_true",
                       help="classify the unlabelled training reviews, in place of the test reviews, and write "
                            "pseudo_labels.npy, which --pseudo-labels of a training script takes"),
    "recipe": dict(help="the assignment's settings, or others that are worth a look (common/training/recipes.py); options "
                        "given beside it count more"),
    "explain": dict(action="store_true",
                    help="show what each word adds to the logit; in 3b, the probability that it was drawn with"),
}

# What the training scripts have in common; a part gives its own value where the assignment does.
TRAINING_DEFAULTS = dict(
    recipe="assignment", batch_size=200, optimizer="adam", learning_rate=0.001, schedule="constant", clip_norm=0.0,
    drop_copies=False, validation=0.0, validate_every=0, keep="last", patience=0, save_every=1, save_minutes=10.0,
    restart=False)

# What those of the classifiers have in common.
CLASSIFIER_DEFAULTS = TRAINING_DEFAULTS | dict(dropout=0.5, ngrams=0, pseudo_labels=None)

# What the test scripts have in common.
TEST_DEFAULTS = dict(review=[], reviews=None, explain=False, unlabelled=False)
LSTM_TEST_DEFAULTS = TEST_DEFAULTS | dict(batch_size=400, lengths=list(range(50, 501, 50)))


def parse_options(description, script, argv=None, several_processes=False, presets=None, **defaults):
    """Options of a part's script.

    Args:
        description: the script's docstring, shown by --help.
        script: the script's __file__; --output defaults to its folder.
        argv: arguments; None takes those of the command line.
        several_processes: whether the script can be started by torchrun.
        presets: dict of dicts of dicts: for each option that names a set of options, such as "recipe", the sets
            by name. What is given beside it counts more.
        defaults: the options of OPTIONS that this script has, with their default values.

    Returns:
        argparse.Namespace with data, output, seed, device (torch.device), precision and the
        script's own options. All random number generators are seeded.

    Raises:
        UserError: an option that this machine cannot follow.
    """
    parser = Parser(description)
    presets = presets or {}
    for name, default in defaults.items():
        choices = {"choices": list(presets[name])} if name in presets else {}
        parser.add_argument("--" + name.replace("_", "-"), default=default, **OPTIONS[name] | choices)
    parser.add_argument("--data", type=Path, metavar="DIR", default=ROOT / "preprocessed_data",
                        help="folder of the preprocessed files")
    parser.add_argument("--output", type=Path, metavar="DIR", default=Path(script).resolve().parent,
                        help="folder that results are written to")
    parser.add_argument("--seed", type=number(int, 0, 2 ** 32 - 1), default=0, help="seed of all randomness")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto",
                        help="auto takes the GPU where there is one")
    parser.add_argument("--precision", choices=["auto", "float32", "tf32", "bfloat16"], default="auto",
                        help="of the matrix products; auto takes bfloat16 where the hardware multiplies it")
    options = parser.parse_args(argv)
    for name, sets in presets.items():
        parser.set_defaults(**sets[getattr(options, name)])
    options = parser.parse_args(argv)
    for name, off in ("patience", 0), ("keep", "last"), ("validate_every", 0):
        if getattr(options, name, off) != off and not options.validation:
            option = "--" + name.replace("_", "-")
            raise UserError(f"{option}: needs validation reviews; hold some out with --validation 0.1")
    if hasattr(options, "reviews"):
        own = options.review or options.reviews
        if options.explain and not own:
            raise UserError("--explain: needs reviews; give some with --review or --reviews")
        if options.unlabelled and own:
            raise UserError("--unlabelled: takes the training reviews; leave --review and --reviews out")
    options.device = choose_device(options.device)
    options.precision = choose_precision(options.precision, options.device)
    if expected() > 1:
        if not several_processes:
            raise UserError("torchrun: this script runs in one process; start it with python")
        processes.join(options.device)
    # Gradients that fade over many timesteps become numbers so small that a CPU takes seven times as long for them.
    torch.set_flush_denormal(True)
    torch.manual_seed(options.seed)
    return options


def choose_device(device):
    if device == "cuda" and not torch.cuda.is_available():
        try:
            torch.cuda.init()
        except (AssertionError, RuntimeError) as error:     # AssertionError: a torch without CUDA
            if "driver on your system is too old" in str(error):
                raise UserError(f"--device cuda: the GPU's driver is too old for torch {torch.__version__}; use a torch "
                                "built for an older CUDA, such as the cluster's own, or --device cpu") from error
        raise UserError("--device cuda: torch finds no CUDA GPU here; use --device cpu, or a node with a GPU")
    if device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    index = int(os.environ.get("LOCAL_RANK", 0))    # torchrun starts a process for each GPU
    if index >= torch.cuda.device_count():
        raise UserError(f"torchrun: {index + 1} processes or more on a node with {torch.cuda.device_count()} GPUs; "
                        "start as many as there are with --nproc_per_node")
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def choose_precision(precision, device):
    """Resolve "auto", refuse what the device lacks, and set torch's matrix products to it."""
    if device.type == "cuda":
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Without instructions for its products a CPU only emulates bfloat16, slower than float32.
        has_bfloat16 = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    if precision == "auto":
        precision = "bfloat16" if has_bfloat16 else "tf32" if device.type == "cuda" else "float32"
    if precision == "tf32" and device.type == "cpu":
        raise UserError("--precision tf32: a CPU has none; use --precision float32")
    if precision == "bfloat16" and device.type == "cuda" and not has_bfloat16:
        raise UserError("--precision bfloat16: this GPU has none; use --precision tf32 or float32")
    # cuDNN leaves the tensor cores altogether where tf32 is forbidden, bfloat16 included.
    float32_products = "ieee" if precision == "float32" else "tf32"
    torch.backends.cuda.matmul.fp32_precision = float32_products
    torch.backends.cudnn.rnn.fp32_precision = float32_products
    return precision


def describe_run(options):
    """One line that says where and how a run computes."""
    if options.device.type == "cuda":
        place = torch.cuda.get_device_name()
    else:
        place = f"CPU, {torch.get_num_threads()} threads"
    if processes.size > 1:
        place = f"{processes.size} processes, each {place}"
    return f"{place} | {options.precision} | torch {torch.__version__} | seed {options.seed}"


def plain_options(options):
    """The options as a dict of plain values, for records and checkpoints.

    Files stand by their names, wherever they lie, and a GPU by its kind: of several processes each has its own.
    """
    plain = {}
    for name, value in vars(options).items():
        value = value.name if isinstance(value, Path) else value.type if isinstance(value, torch.device) else value
        plain[name] = value if isinstance(value, (int, float, str)) else str(value)
    return plain
