"""Checkpoints and other files on disk: whole or not at all, and nothing in them is executed."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from common.checkpoints import FORMAT, check_words, checksum, load_checkpoint, write_checkpoint
from common.errors import UserError
from common.files import replace_file

WORDS = ["the", "film", "café"]
GLOVE = torch.arange(8.0).view(4, 2)


def save(path, part="2a", **content):
    write_checkpoint(path, part, {
        "model": nn.Linear(3, 2).state_dict(), "arguments": {"in_size": 3}, "vocabulary": WORDS,
        "inputs": {"word vectors": checksum(None)}, "options": {"epochs": 3, "data": "there"},
        "curves": {"train_loss": [0.7, 0.5]}, "finished": True} | content)


def test_a_checkpoint_gives_back_what_was_written(tmp_path):
    weights = nn.Linear(3, 2).state_dict()
    save(tmp_path / "rnn.model", model=weights, options={"epochs": 3, "pooling": "max"})
    checkpoint = load_checkpoint(tmp_path / "rnn.model", "2a")
    torch.testing.assert_close(checkpoint["model"], weights, rtol=0, atol=0)
    assert checkpoint["options"] == {"epochs": 3, "pooling": "max"}
    assert checkpoint["vocabulary"] == WORDS


@pytest.mark.parametrize("finished, said", [(True, ""), (False, "rnn.model: of a run that is not finished, "
                                                                "after epoch 2 of 3\n")])
def test_a_model_of_an_unfinished_run_is_told_of(finished, said, tmp_path, capsys):
    save(tmp_path / "rnn.model", finished=finished)
    load_checkpoint(tmp_path / "rnn.model", "2a")
    assert capsys.readouterr().err == (said and f"{tmp_path}/{said}")


def test_a_missing_checkpoint_is_refused_with_what_to_train(tmp_path):
    with pytest.raises(UserError, match="rnn.model: no such file; train part 2a first, or .* --output"):
        load_checkpoint(tmp_path / "rnn.model", "2a")


def test_a_checkpoint_of_another_part_is_refused(tmp_path):
    save(tmp_path / "rnn.model", part="2b")
    with pytest.raises(UserError, match="rnn.model: a checkpoint of 2b, not of part 2a"):
        load_checkpoint(tmp_path / "rnn.model", "2a")


@pytest.mark.parametrize("number", [FORMAT - 1, FORMAT + 1, None])
def test_a_checkpoint_of_another_format_is_refused_with_what_to_do(number, tmp_path):
    save(tmp_path / "rnn.model", format=number)
    with pytest.raises(UserError, match="rnn.model: a checkpoint of another version, .* with --restart$"):
        load_checkpoint(tmp_path / "rnn.model", "2a")


def write_bytes(content):
    return lambda path: path.write_bytes(content)


@pytest.mark.parametrize("write", [
    write_bytes(b""), write_bytes(b"not a checkpoint"), write_bytes(b"\x80\x02"),
    write_bytes(b"PK\x03\x04" + bytes(100)),
    lambda path: path.mkdir(),
    lambda path: path.write_bytes(pickle.dumps({"part": "2a"})),
    lambda path: np.save(open(path, "wb"), np.zeros(3)),
    lambda path: torch.save(nn.Linear(3, 2).state_dict(), path),
    lambda path: torch.save(torch.zeros(3), path),
    lambda path: torch.save([1, 2], path),
    lambda path: torch.save(nn.Linear(3, 2), path),
], ids=["empty", "text", "cut pickle", "cut zip", "folder", "pickle", "array", "state_dict", "tensor", "list",
        "module"])
def test_a_foreign_file_is_refused_with_its_name(write, tmp_path):
    write(tmp_path / "rnn.model")
    with pytest.raises(UserError, match="rnn.model: not a whole checkpoint of part 2a"):
        load_checkpoint(tmp_path / "rnn.model", "2a")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_half_a_checkpoint_is_refused_with_its_name(share, tmp_path):
    path = tmp_path / "rnn.model"
    save(path)
    content = path.read_bytes()
    path.write_bytes(content[:int(share * len(content))])
    with pytest.raises(UserError, match="rnn.model: not a whole checkpoint of part 2a"):
        load_checkpoint(path, "2a")


class Attack:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("dump", [torch.save, lambda attack, path: path.write_bytes(pickle.dumps(attack))],
                         ids=["checkpoint", "pickle"])
def test_code_in_a_file_is_never_executed(dump, tmp_path):
    dump({"format": FORMAT, "part": "2a", "model": Attack(tmp_path / "executed")}, tmp_path / "rnn.model")
    with pytest.raises(UserError, match="rnn.model: not a whole checkpoint of part 2a"):
        load_checkpoint(tmp_path / "rnn.model", "2a")
    assert not (tmp_path / "executed").exists()


def test_data_of_another_dictionary_is_refused(tmp_path):
    save(tmp_path / "rnn.model")
    checkpoint = load_checkpoint(tmp_path / "rnn.model", "2a")
    check_words(checkpoint, tmp_path / "rnn.model", list(WORDS))
    for words in WORDS[:2], WORDS + ["more"], WORDS[::-1]:
        with pytest.raises(UserError, match="rnn.model: trained with another dictionary"):
            check_words(checkpoint, tmp_path / "rnn.model", words)


def test_data_of_other_word_vectors_is_refused(tmp_path):
    save(tmp_path / "rnn.model", "2b", inputs={"word vectors": checksum(GLOVE)})
    checkpoint = load_checkpoint(tmp_path / "rnn.model", "2b")
    check_words(checkpoint, tmp_path / "rnn.model", WORDS, GLOVE.clone())
    for vectors in GLOVE + 1e-6, GLOVE[:, :1]:
        with pytest.raises(UserError, match="rnn.model: trained with another dictionary or other word vectors"):
            check_words(checkpoint, tmp_path / "rnn.model", WORDS, vectors)


def test_a_language_model_that_started_from_word_vectors_is_used_without_them(tmp_path):
    save(tmp_path / "language.model", "3a", inputs={"word vectors": checksum(GLOVE)})
    checkpoint = load_checkpoint(tmp_path / "language.model", "3a")
    check_words(checkpoint, tmp_path / "language.model", WORDS)
    with pytest.raises(UserError, match="trained with another dictionary"):
        check_words(checkpoint, tmp_path / "language.model", WORDS[::-1])


def test_a_run_that_dies_while_it_saves_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    save(tmp_path / "rnn.model")
    before = (tmp_path / "rnn.model").read_bytes()

    def half_a_save(checkpoint, file):
        file.write(b"PK half")
        raise KeyboardInterrupt
    monkeypatch.setattr(torch, "save", half_a_save)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path / "rnn.model")
    assert (tmp_path / "rnn.model").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["rnn.model"]


@pytest.mark.parametrize("mode, content", [("w", "café\nname\n"), ("wb", b"\x00\r\n")])
def test_replace_file_writes_text_or_bytes_as_they_are(mode, content, tmp_path):
    with replace_file(tmp_path / "new" / "folder" / "a.txt", mode) as file:
        file.write(content)
    expected = content if mode == "wb" else content.encode()
    assert (tmp_path / "new" / "folder" / "a.txt").read_bytes() == expected


def test_replace_file_shows_the_old_file_until_the_end(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replace_file(path) as file:
        file.write("new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("old", ["old", None])
def test_replace_file_leaves_the_old_file_when_the_block_raises(old, tmp_path):
    path = tmp_path / "a.txt"
    if old:
        path.write_text(old)
    with pytest.raises(ZeroDivisionError):
        with replace_file(path) as file:
            file.write("half")
            raise ZeroDivisionError
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == ([("a.txt", "old")] if old else [])


def test_replace_file_gives_the_usual_permissions(tmp_path):
    with replace_file(tmp_path / "a.txt") as file:
        file.write("text")
    (tmp_path / "b.txt").write_text("text")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "b.txt").stat().st_mode


def test_replace_file_names_a_folder_in_place_of_the_file(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="folder: cannot be written .*--output"):
        with replace_file(tmp_path / "folder") as file:
            file.write("text")
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


@pytest.mark.parametrize("folder", ["file", "file/folder"])
def test_replace_file_names_a_file_in_place_of_the_folder(folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=f"{folder}: is not a folder; choose another one with --output"):
        with replace_file(tmp_path / folder / "a.txt") as file:
            file.write("text")
    assert (tmp_path / "file").read_text() == "in the way"


def test_replace_file_names_a_file_for_which_the_disk_is_full(tmp_path):
    with pytest.raises(UserError, match="a.txt: cannot be written .No space left on device.; free some space"):
        with replace_file(tmp_path / "a.txt"):
            raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())
