"""Options of the parts' scripts: what is refused, what is taken by default, and what --help says."""

import argparse
import os
import re
import subprocess
import sys

import pytest
import torch

from common.devices import describe_run, set_up
from common.errors import UserError, run_script
from common.options import GROUPS, Option, parse_options, plain_options, typed
from common.parts import ROOT

DEFAULTS = dict(
    epochs=6, batch_size=200, hidden_units=500, hidden_layers=1, lstm_layers=1, pooling="max", dropout=0.5,
    vocab_size=8000, sequence_length=100, optimizer="adam", learning_rate=0.001, schedule="constant", step_epochs=4,
    clip_norm=0.0, validation=0.0, patience=0, test_every=1, save_minutes=10.0, restart=False,
    language_model=ROOT / "3a" / "language.model", review=[], reviews=None, text=None, explain=False,
    recipe="assignment", drop_duplicates=False, lengths=[50, 100], pseudo_labels=None, unlabelled=False,
    mistakes=0, precise_batch_norm=False, ngrams=0, ngram_weight=0.75, ngram_learning_rate=None,
    fixed_batch_norm=False, adversarial=0.0, reversed=False)

@pytest.fixture(autouse=True)
def cpu_without_bfloat16(monkeypatch):
    """The same machine for every test."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for kind in "_is_amx_tile_supported", "_is_avx512_bf16_supported":
        monkeypatch.setattr(torch.cpu, kind, lambda: False)


def parse(*argv, **defaults):
    return parse_options("What it does.", __file__, argv, **(defaults or DEFAULTS))


def parse_and_set_up(*argv):
    options = parse(*argv)
    set_up(options)
    return options


def test_every_option_is_tried_here():
    assert sorted(DEFAULTS) == sorted(name for group in GROUPS.values() for name in group)


@pytest.mark.parametrize("argv", [
    "--epochs 0", "--batch-size 1", "--hidden-units 0", "--hidden-layers 0", "--lstm-layers 0", "--pooling sum",
    "--dropout 1", "--dropout -0.1", "--vocab-size 0", "--sequence-length 1", "--optimizer rmsprop",
    "--learning-rate 0", "--learning-rate inf", "--learning-rate -1", "--schedule cosine", "--step-epochs 0",
    "--clip-norm -1", "--clip-norm inf", "--validation 1", "--validation -0.1", "--patience -1", "--patience 2",
    "--test-every 0", "--save-minutes -1", "--lengths 0", "--lengths", "--seed -1", "--seed 4294967296", "--seed 0.5",
    "--device tpu", "--device cuda", "--precision float16", "--precision tf32", "--explain", "--review",
    "--text column", "--adversarial -1",
    "--unlabelled --review good", "--mistakes -1", "--mistakes 3 --review good", "--mistakes 3 --unlabelled",
    "--no-such-option"])
def test_a_wrong_option_ends_with_status_2_and_one_line_that_names_it(argv, capsys):
    with pytest.raises(SystemExit) as end:
        run_script(lambda: parse_and_set_up(*argv.split()))
    lines = capsys.readouterr().err.splitlines()
    assert end.value.code == 2
    assert len(lines) == 1, lines
    assert argv.split()[0] in lines[0]


def test_the_bounds_themselves_are_taken():
    options = parse("--dropout", "0", "--validation", "0.9", "--patience", "0", "--batch-size", "2",
                    "--seed", "4294967295", "--clip-norm", "0", "--sequence-length", "2")
    assert (options.dropout, options.validation) == (0, 0.9)
    assert (options.patience, options.batch_size, options.seed) == (0, 2, 4294967295)


def test_a_script_may_have_an_option_of_its_own():
    cell = Option("model", "lstm", choices=["lstm", "gru"], help="the cell")
    assert parse(cell=cell).cell == "lstm"
    assert parse("--cell", "gru", cell=cell).cell == "gru"
    with pytest.raises(UserError, match="--cell: invalid choice: 'rnn'"):
        parse("--cell", "rnn", cell=cell)


PRESETS = {"recipe": {"assignment": {}, "overfit": {"dropout": 0.0, "epochs": 20, "drop_duplicates": True}}}


def test_a_recipe_takes_the_place_of_the_defaults():
    options = parse_options("", __file__, ["--recipe", "overfit"], presets=PRESETS, **DEFAULTS)
    assert (options.dropout, options.epochs, options.hidden_units) == (0, 20, 500)
    options = parse_options("", __file__, [], presets=PRESETS, **DEFAULTS)
    assert (options.dropout, options.epochs) == (0.5, 6)


def test_an_option_overrides_the_recipe():
    argv = ["--epochs", "3", "--no-drop-duplicates", "--recipe", "overfit"]
    options = parse_options("", __file__, argv, presets=PRESETS, **DEFAULTS)
    assert (options.dropout, options.epochs, options.drop_duplicates) == (0, 3, False)


def test_numbers_too_small_to_count_become_0():
    """A CPU takes several times as long for them, and gradients that fade over many timesteps are full of them."""
    parse_and_set_up()
    assert (torch.tensor([1e-30]) * 1e-10).item() == 0


def test_an_unknown_recipe_is_refused():
    with pytest.raises(UserError, match="--recipe: invalid choice: 'soup' .*assignment.*overfit"):
        parse_options("", __file__, ["--recipe", "soup"], presets=PRESETS, **DEFAULTS)


def test_an_option_that_a_script_does_not_have_is_refused():
    with pytest.raises(UserError, match="unrecognized arguments: --hidden-layers 2"):
        parse("--hidden-layers", "2", epochs=6)


def test_a_misspelt_option_names_the_one_that_was_meant():
    with pytest.raises(UserError, match="unrecognized arguments: --epoch 3: did you mean --epochs?"):
        parse("--epoch", "3")


def test_help_shows_what_each_recipe_sets(capsys):
    with pytest.raises(SystemExit):
        parse_options("", __file__, ["--help"], presets=PRESETS, **DEFAULTS)
    help_text = capsys.readouterr().out
    assert "\n  assignment: the defaults above\n" in help_text
    assert "\n  overfit:    --dropout 0.0 --epochs 20 --drop-duplicates\n" in help_text


def test_parsing_draws_no_random_number_and_imports_no_torch():
    code = (f"import sys; sys.path.insert(0, {str(ROOT)!r}); from common.options import parse_options; "
            f"parse_options('', {__file__!r}, ['--seed', '3'], epochs=6); assert 'torch' not in sys.modules")
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_patience_needs_validation_reviews():
    assert parse("--patience", "2", "--validation", "0.1").patience == 2
    with pytest.raises(UserError, match="--patience: needs validation reviews; .*--validation 0.1"):
        parse("--patience", "2")


def test_explain_beside_mistakes_is_refused_for_what_it_is():
    with pytest.raises(UserError, match="--explain: --mistakes explains already; leave it out"):
        parse("--mistakes", "3", "--explain")


def test_patience_is_refused_with_a_learning_rate_that_decays_over_the_whole_run():
    with pytest.raises(UserError, match="--patience: would end --schedule one-cycle before"):
        parse("--patience", "2", "--validation", "0.1", "--schedule", "one-cycle")


@pytest.mark.parametrize("argv, message", [
    ("--fixed-batch-norm --precise-batch-norm", "--fixed-batch-norm: keeps its statistics"),
    ("--adversarial 0.01", "--adversarial: statistics of the batch would mix .*; add --fixed-batch-norm")])
def test_options_that_work_against_each_other_are_refused(argv, message):
    with pytest.raises(UserError, match=message):
        parse(*argv.split())


def test_what_works_together_is_taken():
    options = parse(*"--adversarial 0.01 --fixed-batch-norm --pooling concat".split())
    assert (options.adversarial, options.pooling) == (0.01, "concat")


@pytest.mark.parametrize("argv, message", [
    ("--step-epochs 9", "--step-epochs 9: has no effect without --schedule step; "),
    ("--ngram-weight 0.5", "--ngram-weight 0.5: has no effect without --ngrams; "),
    ("--ngram-learning-rate 0.5", "--ngram-learning-rate 0.5: has no effect without --ngrams; "),
    ("--layer-decay 0.5", "--layer-decay 0.5: has no effect without --fine-tune lstm or all; ")])
def test_an_option_that_has_no_effect_is_refused(argv, message):
    with pytest.raises(UserError, match=message):
        parse_dependent(*argv.split())


@pytest.mark.parametrize("argv", [
    "--step-epochs 4", "--step-epochs 9 --schedule step", "--ngram-weight 0.5 --ngrams 2",
    "--layer-decay 0.5 --fine-tune all", "--recipe best",
    "--recipe best --ngrams 0 --fine-tune last --schedule constant"])
def test_an_option_that_has_no_effect_may_be_as_the_script_or_the_recipe_has_it(argv):
    assert parse_dependent(*argv.split()).recipe == ("best" if "best" in argv else "assignment")


def parse_dependent(*argv):
    presets = {"recipe": {"assignment": {}, "best": dict(
        schedule="step", step_epochs=2, ngrams=3, ngram_weight=0.9, ngram_learning_rate=0.1,
        fine_tune="all", layer_decay=0.6)}}
    own = dict(fine_tune=Option("training", "last"), layer_decay=Option("training", 1.0, type=float))
    return parse_options("", __file__, argv, presets=presets, **DEFAULTS, **own)


@pytest.mark.parametrize("argv, expected", [
    ([], "--no-drop-duplicates --lengths 50 100 no --pseudo-labels --dropout 0.5 --schedule constant"),
    (["--drop-duplicates", "--lengths", "7", "--pseudo-labels", "a/b.npz"],
     "--drop-duplicates --lengths 7 --pseudo-labels b.npz --dropout 0.5 --schedule constant")])
def test_plain_options_are_shown_as_they_are_typed(argv, expected):
    plain = plain_options(parse(*argv))
    names = "drop_duplicates", "lengths", "pseudo_labels", "dropout", "schedule"
    assert " ".join(typed(name, plain[name]) for name in names) == expected
    assert typed("cutoffs", str([])) == "--cutoffs"


def test_an_option_that_names_a_set_of_options_sets_their_defaults():
    presets = {"model": {"SentimentRNN": {}, "SentimentClassifier": dict(epochs=4, hidden_units=256)}}

    def parse_sets(*argv):
        options = parse_options("", __file__, argv, presets=presets, model=Option("model", "SentimentRNN"), **DEFAULTS)
        return options.epochs, options.hidden_units, options.batch_size
    assert parse_sets() == (6, 500, 200)
    assert parse_sets("--model", "SentimentClassifier") == (4, 256, 200)
    assert parse_sets("--epochs", "9", "--model", "SentimentClassifier") == (9, 256, 200)


def test_defaults_are_those_of_the_script():
    options = parse()
    assert {name: getattr(options, name) for name in DEFAULTS} == DEFAULTS
    assert options.data == ROOT / "preprocessed_data"
    assert str(options.output) == str(ROOT / "tests")
    assert options.seed == 0


def test_several_values_are_taken_by_lengths_and_review():
    options = parse("--lengths", "50", "200", "--review", "good", "bad", "--review", "so so")
    assert options.lengths == [50, 200]
    assert options.review == ["good", "bad", "so so"]


def test_help_lists_every_option_with_what_it_does_and_its_default(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")
    with pytest.raises(SystemExit) as end:
        parse("--help")
    entries = [" ".join(entry.split("\n\n")[0].split()) for entry in capsys.readouterr().out.split("\n  --")]
    assert end.value.code == 0
    defaults = DEFAULTS | dict(data=ROOT / "preprocessed_data", output=ROOT / "tests", seed=0, device="auto",
                               precision="auto", debug=False)
    assert len(entries) == len(defaults) + 1
    for name, default in defaults.items():
        typed_default = " ".join(map(str, default)) if isinstance(default, list) else default
        shown = "" if default is None or default is False or default == [] else f"(default: {typed_default})"
        pattern = re.escape(name.replace("_", "-")) + r"(, \S+)? .*[a-z]{3}.*" + re.escape(shown)
        assert any(re.fullmatch(pattern, entry) for entry in entries), name


def test_the_groups_of_help_come_in_one_order_whatever_a_script_has(capsys):
    with pytest.raises(SystemExit):
        parse("--help", unlabelled=False, epochs=3, dropout=0.5)
    titles = re.findall(r"^(\w+):$", capsys.readouterr().out, flags=re.MULTILINE)
    assert titles == ["options", "training", "model", "data", "evaluation", "saving", "machine"]


def test_help_shows_the_docstring_as_it_is_written(capsys):
    with pytest.raises(SystemExit):
        parse_options("Part 9.\n\n    python 9/train.py\n", __file__, ["--help"])
    assert "Part 9.\n\n    python 9/train.py\n" in capsys.readouterr().out


def test_a_cpu_computes_in_float32():
    options = parse_and_set_up()
    assert (options.device.type, options.precision) == ("cpu", "float32")


def test_the_seed_decides_all_random_numbers():
    def draw(seed):
        parse_and_set_up("--seed", seed)
        return torch.rand(5)
    first, again, other = draw("7"), draw("7"), draw("8")
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("load, said", [(0.4, ""), (2.6, " beside other jobs (load 3)")])
def test_a_run_says_where_and_how_it_computes(load, said, monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0, 0), raising=False)
    assert describe_run(parse_and_set_up("--seed", "3")) == (
        f"CPU, threads: {torch.get_num_threads()}{said} | float32 | torch {torch.__version__} | seed 3")


@pytest.mark.parametrize("given, spin", [({}, "3000"), ({"GOMP_SPINCOUNT": "7"}, "7"),
                                         ({"OMP_WAIT_POLICY": "ACTIVE"}, None)])
def test_threads_wait_briefly_unless_the_environment_says_otherwise(given, spin, monkeypatch):
    for name in "GOMP_SPINCOUNT", "OMP_WAIT_POLICY":
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    parse()
    assert os.environ.get("GOMP_SPINCOUNT") == spin


def test_plain_options_hold_only_plain_values():
    plain = plain_options(parse_and_set_up("--drop-duplicates", "--pseudo-labels", "1a/pseudo_labels.npz"))
    assert set(plain) == set(DEFAULTS) | {"data", "output", "seed", "device", "precision", "debug"}
    assert all(type(value) in (int, float, str, bool) for value in plain.values())
    assert (plain["drop_duplicates"], plain["epochs"], plain["dropout"], plain["device"]) == (True, 6, 0.5, "cpu")
    assert plain["pseudo_labels"] == "pseudo_labels.npz"


def test_the_gpus_of_several_processes_make_no_difference_to_the_plain_options():
    first, second = (argparse.Namespace(device=torch.device("cuda", index)) for index in (0, 1))
    assert plain_options(first) == plain_options(second) == {"device": "cuda"}
