"""Texts to tokens, in as many processes as a machine allows, with the Punkt data that NLTK reads."""

import os
import subprocess
import sys

import nltk
import pytest
from hypothesis import given, settings, strategies
from nltk.tokenize.punkt import PunktSentenceTokenizer
from parts import ROOT
from punkt import install_punkt

from common.errors import UserError
from common.preprocessing.text_cleaning import clean
from common.preprocessing.tokenizer import learn_punkt, load_punkt, tokenize, tokenize_reviews
from common.testing.own_reviews import load_tokenizer


def test_tokens_are_those_of_word_tokenize_in_lower_case(punkt_folder, monkeypatch):
    monkeypatch.setattr(nltk.data, "path", [str(punkt_folder)])
    nltk.tokenize._get_punkt_tokenizer.cache_clear()
    text = 'Mr. Bean didn\'t go. "It\'s... GREAT!" he said (twice). It\'s "3.5/10". He can\'t.'
    expected = [token.lower() for token in nltk.word_tokenize(text)]
    assert "mr." in expected and "n't" in expected
    assert tokenize(text, load_punkt()) == expected


@pytest.mark.parametrize("typed, written", [
    ("It isn\u2019t clever, it\u2019s predictable.", "It isn't clever, it's predictable."),
    ("\u201cGreat\u201d \u2018fun\u2019", "\"Great\" 'fun'"),
    ("\u201eGreat\u201f ``fun''", "\"Great\" \"fun''"),
    ("Well\u2014no\u2026 1999\u20132001 \u22121", "Well--no... 1999-2001 -1"),
    ("\u00abgreat\u00bb \u2039fun\u203a 5\u2032 6\u2033", "\"great\" 'fun' 5' 6\""),
    ("cafe\u0301 good \ufb01lm \uff27\uff2f\uff2f\uff24 \U0001d420ood", "caf\u00e9 good film GOOD good"),
    ("un\u00adseen\u200b \ufeffmarks \u2764\ufe0f", "unseen marks \u2764"),
    ("Caf\u00e9\u2026\u201d 2\u00bd 5\u00b2 AT&T R&D;", 'Caf\u00e9..." 2\u00bd 5\u00b2 AT&T R&D;'),
    ("\u00a9 <grin> x<b", "\u00a9 <grin> x<b"),
    ("good<br /><br />bad<BR>so</p><p class='x'>it <i>is</i>", "good bad so it is"),
    (" tabs\tand\r\nlines \u00a0 of\u2028space ", "tabs and lines of space"),
    ("bad\x96ugly\0 \x1b[2J", "bad ugly [2J"),                              # U+0096 as the assignment has it
    ("so\x85 \x93it\x94\x97", "so... \"it\"--"),
    ("isn\u00e2\u20ac\u2122t clich\u00c3\u00a9 \u00f0\u0178\u02dc\u20ac", "isn't clich\u00e9 \U0001f600"),
    ("&quot;Tom &amp;amp; Jerry&quot; &ldquo;it&rdquo; &lt;br&gt;", '"Tom & Jerry" "it"')])
def test_spellings_of_a_text_are_brought_to_one(typed, written):
    assert clean(typed) == clean(written) == written


@pytest.mark.parametrize("sign", "' \u2019 \u2018 \u02bc \u2032 \u00b4 ` \uff07 \x92 &#39; &#x27; &#039; &apos; "
                         "&rsquo; &#8217; &#146; &amp;#39; \u00e2\u20ac\u2122 "
                         "\u00e2\x80\x99 \u201b \ua78c \u1ffd".split(" "))
def test_whatever_is_typed_for_an_apostrophe_is_one(sign):
    assert clean(f"isn{sign}t") == "isn't"


@settings(max_examples=150, deadline=None)
@given(strategies.text(strategies.one_of(strategies.characters(codec="utf-8"),
                                         strategies.sampled_from("&#39;amp<br/>`\u00b4 \u00e2\u20ac\u2122\u00c3\x96"))))
def test_a_clean_text_stays_as_it_is(text):
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize("drawn, signs", [("\u0149", "'n"), ("\u2034", "'''"), ("\u2037", "'''"), ("\u2057", "''''"),
                                          ("\ufe58", "--"), ("\ufb01", "fi")])
def test_what_is_drawn_of_several_signs_is_read_as_these(drawn, signs):
    assert clean(drawn) == signs


def test_reviews_prompts_and_own_texts_are_read_alike(punkt_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(nltk.data, "path", [str(punkt_folder)])
    tokens = ["it", "is", "n't", "``", "great", "''", "."]
    text = "It isn\u2019t &ldquo;great\u201d."
    assert load_tokenizer(tmp_path)(text) == tokens
    assert tokenize_reviews([text], load_punkt(), 1)[0] == tokens


def test_tokenized_reviews_keep_the_order_of_the_texts():
    texts = [f"review {number} ends" for number in range(250)]
    tokens, indices, offsets = tokenize_reviews(texts, learn_punkt(texts), workers=2)
    assert [" ".join(tokens[index] for index in indices[start:end])
            for start, end in zip(offsets[:-1], offsets[1:])] == texts


class KillingTokenizer(PunktSentenceTokenizer):
    """A sentence tokenizer that ends its process, as the kernel does when memory runs out."""

    def tokenize(self, text):
        os._exit(1)


def tokenize_elsewhere(before):
    """Tokenise 500 reviews with four workers in another process, which first runs some lines."""
    code = f"""{before}
import sys; sys.path.insert(0, {str(ROOT)!r})
from common.preprocessing.tokenizer import learn_punkt, tokenize_reviews
texts = [f"review {{number}}" for number in range(500)]
print(len(tokenize_reviews(texts, learn_punkt(texts), 4)[1]))"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("started", [0, 1, 2])
@pytest.mark.slow
def test_a_process_limit_leaves_the_work_to_those_that_could_be_started(started):
    run = tokenize_elsewhere(f"""
import os
fork, count = os.fork, [0]
def limited():
    count[0] += 1
    if count[0] > {started}:
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return fork()
os.fork = limited""")
    assert (run.returncode, run.stdout) == (0, "1000\n"), run.stderr
    assert run.stderr.splitlines() == [
        f"--workers 4: only {started + 1} could be started (Resource temporarily unavailable)"]


def test_processes_need_neither_semaphores_nor_threads():
    run = tokenize_elsewhere("""
import _multiprocessing, threading
class SemLock:
    SEM_VALUE_MAX = 1
    def __init__(self, *arguments, **options): raise OSError(38, "Function not implemented")
_multiprocessing.SemLock = SemLock
def start(thread): raise RuntimeError("can't start new thread")
threading.Thread.start = start""")
    assert (run.returncode, run.stdout) == (0, "1000\n"), run.stderr


@pytest.mark.slow
def test_processes_may_be_spawned():
    run = tokenize_elsewhere("import multiprocessing; multiprocessing.set_start_method('spawn')")
    assert (run.returncode, run.stdout, run.stderr) == (0, "1000\n", "")


def test_a_killed_worker_is_reported():
    with pytest.raises(UserError, match="--workers: a tokenising process was killed"):
        tokenize_reviews(["text"] * 300, KillingTokenizer(), workers=2)


def test_punkt_is_fetched_where_it_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    monkeypatch.setattr(nltk, "download", lambda *arguments, **options: install_punkt(tmp_path))
    assert load_punkt().tokenize("Dr. No came. The end.") == ["Dr. No came.", "The end."]


def test_missing_punkt_is_reported_with_the_way_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    monkeypatch.setattr(nltk, "download", lambda *arguments, **options: False)
    with pytest.raises(UserError, match=f"nltk.downloader punkt_tab.*NLTK_DATA.*{tmp_path}"):
        load_punkt()


@pytest.fixture
def own_punkt(tmp_path, monkeypatch):
    """An installed punkt_tab that a test may spoil; nothing can be fetched."""
    install_punkt(tmp_path / "nltk_data")
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path / "nltk_data")])
    monkeypatch.setattr(nltk, "download", lambda *arguments, **options: False)
    return tmp_path / "nltk_data" / "tokenizers" / "punkt_tab" / "english"


def hard_link(folder):
    os.link(folder / "collocations.tab", folder / "another")


def link(folder):
    (folder / "collocations.tab").rename(folder / "there")
    (folder / "collocations.tab").symlink_to(folder / "there")


@pytest.mark.parametrize("spoil, words", [(hard_link, "multiply-linked"), (link, "symlink")])
def test_what_nltk_refuses_to_read_is_reported_in_its_words_with_what_helps(spoil, words, own_punkt):
    spoil(own_punkt)
    with pytest.raises(UserError, match=f"cannot be read or fetched .*{words}.*NLTK_DATA.*chmod -R go-w"):
        load_punkt()


def let_the_group_write(folder):
    folder.chmod(0o775)


def let_all_write_a_file(folder):
    (folder / "collocations.tab").chmod(0o666)


@pytest.mark.parametrize("spoil", [let_the_group_write, let_all_write_a_file])
def test_what_others_could_write_is_warned_of_and_not_read(spoil, own_punkt):
    spoil(own_punkt)
    with pytest.warns(RuntimeWarning, match="writable"), pytest.raises(UserError, match="NLTK_DATA.*chmod -R go-w"):
        load_punkt()


def test_half_of_punkt_is_not_installed(own_punkt):
    (own_punkt / "collocations.tab").unlink()
    with pytest.raises(UserError, match=r"cannot be read \(it is not installed\)"):
        load_punkt(fetch=False)
