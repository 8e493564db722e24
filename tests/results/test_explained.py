"""How explained reviews are shown: as a line of text, as HTML, as a page of their own."""

import re

import pytest

from common.results.explained import arithmetic, as_html, as_text, probability_text, shaded, show, write_page


def explained(words, contributions, known=(True,) * 5):
    return {"words": words, "contributions": contributions, "known": known}


@pytest.mark.parametrize("logit, shown", [
    (0, "positive, 50 % sure"), (-2.2, "negative, 90 % sure"), (2.2, "positive, 90 % sure"),
    (5.1, "positive, 99 % sure"), (5.4, "positive, over 99 % sure"), (-1000, "negative, over 99 % sure")])
def test_a_prediction_is_said_in_words(logit, shown):
    assert probability_text(logit) == shown


def test_labels_have_the_names_of_the_data():
    assert probability_text(-2.2, ("ham", "spam")) == "ham, 90 % sure"


@pytest.mark.parametrize("logit, contributions, shown", [
    (-0.0951, [-0.05, -0.0449], "logit -0.10 = words -0.09, rest -0.01"),
    (-0.001, [0.003, -0.004], "logit +0.00 = words +0.00, rest +0.00"),
    (1.238, [2.0, -0.5], "logit +1.24 = words +1.50, rest -0.26")])
def test_the_numbers_add_up_as_they_are_shown(logit, contributions, shown):
    assert arithmetic({"logit": logit, "contributions": contributions}) == shown


def test_words_that_count_are_followed_by_what_they_add():
    shown = as_text(explained(["a", "great", "film", "?"], [0.0, 2.314, -0.2, 0.004]), False)
    assert shown == "a great(+2.31) film(-0.20) ?"


def test_words_are_coloured_by_sign_and_size():
    text = as_text(explained(["a", "great", "film", "bad"], [0.01, 3.0, 1.5, -2.9]), True)
    assert text == "a \033[30;48;5;111mgreat\033[0m \033[30;48;5;153mfilm\033[0m \033[30;48;5;209mbad\033[0m"


@pytest.mark.parametrize("coloured", [True, False])
def test_words_that_add_nothing_stay_plain(coloured):
    assert as_text(explained(["a", "film"], [0.0, 0.0]), coloured) == "a film"


def test_punctuation_is_not_coloured_and_takes_no_words_colour_away():
    found = shaded(explained([",", "good", "!", "--", "'s"], [9.0, 2.0, 1.0, -9.0, -0.5]))
    assert [shade for *_, shade in found] == [0, 3, 2, 0, 1]


def test_an_unknown_word_stands_in_brackets_or_underlined():
    assert as_text(explained(["a", "zebra"], [0.0, 1.0], [True, False]), False) == "a [zebra](+1.00)"
    assert as_html(explained(["a", "zebra"], [0.0, 0.0], [True, False])) == (
        'a <span class="unknown" title="+0.00">zebra</span>')


def test_html_shows_words_as_they_are_and_what_they_add():
    assert as_html(explained(["<b>", "\u00e9t\u00e9"], [1.0, -0.4])) == (
        '<span class="positive3" title="+1.00">&lt;b&gt;</span> '
        '<span class="negative2" title="-0.40">\u00e9t\u00e9</span>')


def test_on_a_terminal_the_arithmetic_is_dim(capsys, monkeypatch):
    entry = {"logit": 1.0, "words": ["good"], "contributions": [0.8], "known": [True]}
    show("positive, 73 % sure", entry)
    assert capsys.readouterr().out == "positive, 73 % sure\ngood(+0.80)\nlogit +1.00 = words +0.80, rest +0.20\n\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    show("positive, 73 % sure", entry)
    assert "\033[2mlogit +1.00 = words +0.80, rest +0.20\033[0m" in capsys.readouterr().out


@pytest.fixture
def page(tmp_path):
    entry = {"logit": 2.0, "words": ["<b>", "zebra"], "contributions": [1.0, -0.5], "known": [True, False]}
    write_page(tmp_path / "page.html", "Part 1 & 2", "its share", ["h<m", "sp&m"], [("sp&m, 88 % sure", entry)])
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_page_needs_no_other_file(page):
    assert not re.search(r"\b(src|href|url|@import)\b", page)


def test_the_page_shows_a_review_with_its_arithmetic_in_small_print(page):
    assert "<title>Part 1 &amp; 2</title>" in page and "<h3>sp&amp;m, 88 % sure</h3>" in page
    assert '<span class="positive3" title="+1.00">&lt;b&gt;</span>' in page
    assert "<small>logit +2.00 = words +0.50, rest +1.50</small>" in page


def test_the_pages_legend_speaks_of_the_datas_labels_and_of_what_a_contribution_is(page):
    assert re.search(r"made the review more sp&amp;m.*more h&lt;m.*is called sp&amp;m: its share\.", page, re.S)


def test_colours_are_printed(page):
    [rule] = re.findall(r"\[class\^=positive\], \[class\^=negative\] {(.*?)}", page, re.DOTALL)
    assert re.search("(?<!-)print-color-adjust: exact", rule)
    colours = re.findall(r"\.(?:positive|negative)[123] { background: (#\w{6}) }", page)
    assert len(set(colours)) == 6
