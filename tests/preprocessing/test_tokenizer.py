"""Texts to tokens, in as many processes as a machine allows, with the Punkt data that NLTK reads."""

import os
import subprocess
import sys

import nltk
import pytest
from parts import ROOT
from punkt import install_punkt

from common.errors import UserError
from common.preprocessing.text_encoding import as_in_reviews
from common.preprocessing.tokenizer import clean, learn_punkt, load_punkt, tokenize, tokenize_reviews
from common.testing.own_reviews import load_tokenizer


def test_tokens_are_those_of_word_tokenize_in_lower_case(punkt_folder, monkeypatch):
    monkeypatch.setattr(nltk.data, "path", [str(punkt_folder)])
    nltk.tokenize._get_punkt_tokenizer.cache_clear()
    text = ("Mr. Bean didn't go. \"It's\u2026 GREAT!\" he said (twice)."
            "\u0130stanbul's 3.5/10 <3 caf\u00e9\x85end")
    expected = [token.lower() for token in nltk.word_tokenize(text)]
    assert "mr." in expected and "n't" in expected
    assert tokenize(text, load_punkt()) == expected


def test_line_breaks_and_control_characters_become_spaces():
    assert clean("good<br /><br />bad\x96ugly\0") == "good  bad ugly "


@pytest.mark.parametrize("typed, written", [
    ("It isn\u2019t clever, it\u2019s predictable.", "It isn't clever, it's predictable."),
    ("\u201cGreat\u201d \u2018fun\u2019", "\"Great\" 'fun'"),
    ("\u201eGreat\u201f don\u02bct", "\"Great\" don't"),
    ("Well\u2014no\u2026 1999\u20132001", "Well--no... 1999-2001"),
    ("isn\u00b4t \u00abgreat\u00bb \u2039fun\u203a 5\u2032 6\u2033", "isn't \"great\" 'fun' 5' 6\""),
    ("cafe\u0301", "caf\u00e9"),
    ("un\u00adseen\u200b \ufeffmarks", "unseen marks"),
])
def test_what_phones_and_word_processors_type_is_read_as_the_reviews_are_written(typed, written):
    assert as_in_reviews(typed) == written
    assert as_in_reviews(written) == written


def test_own_reviews_and_prompts_may_have_typographic_quotes(punkt_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(nltk.data, "path", [str(punkt_folder)])
    tokenize = load_tokenizer(tmp_path)
    assert tokenize("It isn\u2019t \u201cgreat\u201d.") == ["it", "is", "n't", "``", "great", "''", "."]


def test_tokenized_reviews_keep_the_order_of_the_texts():
    texts = [f"review {number} ends" for number in range(250)]
    tokenized = tokenize_reviews(texts, learn_punkt(texts), workers=2)
    starts, ends = tokenized.offsets[:-1], tokenized.offsets[1:]
    assert [" ".join(tokenized.tokens[index] for index in tokenized.indices[start:end])
            for start, end in zip(starts, ends)] == texts


class KillingTokenizer:
    """A sentence tokenizer that ends its process, as the kernel does when memory runs out."""

    def tokenize(self, text):
        os._exit(1)


def tokenize_elsewhere(before):
    """Tokenise 500 reviews with four workers in another process, which first runs some lines."""
    code = f"""{before}
import sys; sys.path.insert(0, {str(ROOT)!r})
from common.preprocessing.tokenizer import learn_punkt, tokenize_reviews
texts = [f"review {{number}}" for number in range(500)]
print(len(tokenize_reviews(texts, learn_punkt(texts), 4).indices))"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("started", [0, 1, 3])
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
        f"--workers 4: only {max(started, 1)} could be started (Resource temporarily unavailable)"]


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
    monkeypatch.setattr(nltk, "download", lambda *arguments, print_error_to, **options: print(
        "[nltk_data] Error loading punkt_tab: Security Violation\n[nltk_data]   a proxied fetch", file=print_error_to))
    return tmp_path / "nltk_data" / "tokenizers" / "punkt_tab" / "english"


def hard_link(folder):
    os.link(folder / "collocations.tab", folder / "another")


def link(folder):
    (folder / "collocations.tab").rename(folder / "there")
    (folder / "collocations.tab").symlink_to(folder / "there")


def let_the_group_write(folder):
    folder.chmod(0o775)


def let_all_write_a_file(folder):
    (folder / "collocations.tab").chmod(0o666)


@pytest.mark.parametrize("spoil, words", [
    (hard_link, "multiply-linked"), (link, "symlink"), (let_the_group_write, "writable"),
    (let_all_write_a_file, "writable")])
def test_what_nltk_refuses_to_read_is_reported_in_its_words_with_what_helps(spoil, words, own_punkt):
    spoil(own_punkt)
    with pytest.raises(UserError, match=f"NLTK refuses .*{words}.*chmod -R go-w.*NLTK_DATA"):
        load_punkt()


def test_half_of_punkt_is_not_installed(own_punkt):
    (own_punkt / "collocations.tab").unlink()
    with pytest.raises(UserError, match="is not installed"):
        load_punkt()


def test_a_fetch_that_fails_says_why(own_punkt):
    (own_punkt / "collocations.tab").unlink()
    with pytest.raises(UserError, match=r"cannot be fetched \(Error loading punkt_tab: Security Violation a proxied"):
        load_punkt()
