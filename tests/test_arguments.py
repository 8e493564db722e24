"""Command lines: bounds of numbers, refusals of one line."""

import argparse
from pathlib import Path

import pytest

from common.arguments import Parser, number, path, positive_int
from common.errors import UserError


def make_parser():
    parser = Parser("What it does, in 86 %.")
    training = parser.add_argument_group("training")
    training.add_argument("--epochs", type=positive_int, default=6, help="passes over the reviews")
    training.add_argument("--rate", type=number(float, 0, 1, open_low=True), default=0.5, help="a rate")
    parser.add_argument_group("saving").add_argument("--output", default=None, help="a folder")
    return parser


def parse(*argv):
    return make_parser().parse_args(argv)


@pytest.mark.parametrize("argv, message", [
    ("--epochs 0", "--epochs: '0' is not a whole number from 1"),
    ("--epochs 1.5", "--epochs: '1.5' is not a whole number from 1"),
    ("--epochs many", "--epochs: 'many' is not a whole number from 1"),
    ("--rate 0", "--rate: '0' is not a number above 0 to 1"), ("--rate 1.1", "--rate: '1.1' is not a number above 0"),
    ("--rate nan", "--rate: 'nan' is not a number"), ("--rate inf", "--rate: 'inf' is not a number"),
    ("--epochs", "--epochs: expected one argument"), ("--no-such-option", "unrecognized arguments: --no-such-option"),
    ("--epoch 3", "unrecognized arguments: --epoch 3")])
def test_a_wrong_argument_is_refused_with_its_option_and_bounds(argv, message):
    with pytest.raises(UserError, match=f"^{message}.*; see --help$"):
        parse(*argv.split())


def test_the_bounds_themselves_are_taken():
    assert number(float, 0, 0.9)("0.9") == 0.9 and number(float, 0, 0.9)("0") == 0
    assert number(int, 0, 2 ** 32 - 1)("4294967295") == 4294967295
    assert positive_int("1") == 1


def test_a_bound_that_nobody_set_is_named_only_where_it_is_passed():
    with pytest.raises(argparse.ArgumentTypeError, match="'0' is not a whole number from 1$"):
        positive_int("0")


def test_a_number_without_an_upper_bound_is_finite():
    assert number(float, 0)("1e300") == 1e300
    with pytest.raises(argparse.ArgumentTypeError, match="'inf' is not a number from 0$"):
        number(float, 0)("inf")


def help_of(parser, capsys):
    with pytest.raises(SystemExit) as end:
        parser.parse_args(["--help"])
    assert end.value.code == 0
    return capsys.readouterr().out


def test_help_shows_the_description_as_written_and_options_in_their_groups(capsys):
    text = help_of(make_parser(), capsys)
    assert "\nWhat it does, in 86 %.\n" in text
    assert "\ntraining:\n  --epochs" in text and "\nsaving:\n  --output" in text
    assert text.index("\ntraining:\n") < text.index("--rate RATE") < text.index("\nsaving:\n")


def test_help_shows_a_default_where_there_is_one(capsys):
    text = help_of(make_parser(), capsys)
    assert "passes over the reviews (default: 6)\n" in text and "a folder\n" in text


def test_a_tilde_behind_an_equals_sign_is_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert path("~/reviews") == Path("/home/me/reviews") and path("reviews~") == Path("reviews~")


def test_a_tilde_before_a_name_that_is_no_user_stays_as_a_shell_leaves_it():
    assert path("~nobody-of-that-name/reviews") == Path("~nobody-of-that-name/reviews")


@pytest.mark.parametrize("text", ["9223372036854775808", "99999999999999999999"])
def test_whole_numbers_of_more_than_64_bits_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number from 1 to 9223372036854775807"):
        number(int, 1)(text)


def test_an_empty_path_is_refused():
    with pytest.raises(argparse.ArgumentTypeError, match="an empty name; give a path"):
        path("")
