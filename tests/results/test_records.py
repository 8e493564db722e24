"""A run's record is found again as it was written."""

import json
import shutil

import pytest
import torch

from common.devices import describe_machine
from common.errors import UserError
from common.results.records import (BYTE_ORDER_MARK, CURVES, find_files, read_runs, read_table, save_table,
                                    write_record)

NAN = float("nan")
ROWS = [{"sequence length": length, "test accuracy": accuracy, "test loss": "0.5000", "weights": "crc-1"}
        for length, accuracy in ((50, "76.00"), ("whole", "81.00"))]


DATA = {"name": "sample", "test_reviews": 600, "reviews": 1, "token_ids": 2}


NETWORK = {"file": "2a/RNN_model.py", "class": "RNN_model", "source": 7}


def leave_run(folder, part="2a", data=DATA, loss=0.6, network=NETWORK, kept_epoch=2, **options):
    folder.mkdir(parents=True)
    curves = {name: [NAN, 0.65] for name in CURVES} | {"train_loss": [0.7, loss]}
    write_record(folder / "record.json", part=part, options={"seed": 0, "epochs": 2} | options, overridden=["epochs"],
                 machine=describe_machine(torch.device("cpu")), seconds=12.5, curves=curves, data=data, network=network,
                 weights="crc-1", kept_epoch=kept_epoch)


def test_a_run_is_read_as_it_was_written(tmp_path):
    leave_run(tmp_path / "2a")
    save_table(tmp_path / "2a" / "test_table.csv", ROWS)
    [run] = read_runs([tmp_path])
    assert (run.folder, run.part, run.seconds) == (tmp_path / "2a", "2a", 12.5)
    assert run.options == {"seed": 0, "epochs": 2} and run.overridden == ["epochs"]
    assert run.curves["train_loss"] == [0.7, 0.6]
    assert str(run.curves["test_loss"]) == "[nan, 0.65]"
    assert run.machine["torch"] == torch.__version__ and run.machine["gpu"] is None
    assert run.accuracy() == {"50": 76.0, "whole": 81.0} and run.data == DATA


def test_a_record_is_plain_json(tmp_path):
    leave_run(tmp_path / "2a")
    not_json = []                                                       # NaN and Infinity, which Python would write
    json.loads((tmp_path / "2a" / "record.json").read_text(), parse_constant=not_json.append)
    assert not_json == []


def test_an_infinite_loss_is_read_as_it_was_written(tmp_path):
    leave_run(tmp_path / "2a", loss=float("inf"))
    [run] = read_runs([tmp_path])
    assert run.curves["train_loss"] == [0.7, float("inf")]


def test_a_run_knows_its_network_its_weights_and_the_epoch_that_was_kept(tmp_path):
    leave_run(tmp_path / "2a", kept_epoch=1)
    [run] = read_runs([tmp_path])
    assert (run.network, run.weights, run.kept_epoch) == (NETWORK, "crc-1", 1)
    assert run.kept("train_loss") == 0.7 and run.epochs() == "1 of 2"


def test_a_table_of_other_weights_is_named_and_not_reported(tmp_path, capsys):
    leave_run(tmp_path / "2a")
    table = tmp_path / "2a" / "test_table.csv"
    save_table(table, ROWS)
    assert read_runs([tmp_path])[0].accuracy() == {"50": 76.0, "whole": 81.0} and capsys.readouterr().err == ""
    save_table(table, [row | {"weights": "crc-0"} for row in ROWS])
    assert read_runs([tmp_path])[0].accuracy() == {}
    assert capsys.readouterr().err == (f"{table}: of other weights than record.json; run the part's test script again; "
                                       "its run counts as not tested\n")


def test_a_run_that_was_not_tested_has_no_accuracy(tmp_path):
    leave_run(tmp_path / "2a")
    [run] = read_runs([tmp_path])
    assert run.table == [] and run.accuracy() == {}


def test_runs_are_found_however_deep_the_shortest_path_first(tmp_path):
    for seed, folder in enumerate(["1_trials/1a/x", "2a", "1a"]):
        leave_run(tmp_path / folder, seed=seed)
    assert [str(run.folder.relative_to(tmp_path)) for run in read_runs([tmp_path])] == ["1a", "2a", "1_trials/1a/x"]


def test_a_run_in_two_of_the_folders_counts_once(tmp_path, monkeypatch):
    leave_run(tmp_path / "trials" / "1a")
    monkeypatch.chdir(tmp_path)
    assert len(read_runs([tmp_path, tmp_path / "trials", "trials/1a"])) == 1


def test_settings_are_the_options_without_the_seed(tmp_path):
    leave_run(tmp_path / "a", seed=1)
    leave_run(tmp_path / "b", seed=2)
    leave_run(tmp_path / "c", seed=2, epochs=3)
    first, second, third = read_runs([tmp_path])
    assert first.settings() == second.settings() != third.settings()


def test_runs_on_other_reviews_word_vectors_or_language_models_are_other_trials(tmp_path):
    for k, data in enumerate([DATA, DATA | {"token_ids": 3}, DATA | {"glove": 4}, DATA | {"language_model": 5}]):
        leave_run(tmp_path / str(k), data=data, seed=k)
    leave_run(tmp_path / "another seed", seed=9)
    found = [run.trial() for run in read_runs([tmp_path])]
    assert len(set(found)) == 4 and found[-1] == found[0]


def test_runs_of_other_networks_are_other_trials(tmp_path):
    for seed in 7, 8:
        leave_run(tmp_path / str(seed), network=NETWORK | {"source": seed}, seed=seed)
    first, second = read_runs([tmp_path])
    assert first.trial() != second.trial()


def test_a_seed_counts_once_in_a_trial_though_other_machines_give_other_numbers(tmp_path, capsys):
    leave_run(tmp_path / "a", loss=0.6)
    leave_run(tmp_path / "b", loss=0.5)
    assert [run.folder.name for run in read_runs([tmp_path])] == ["a"]
    assert capsys.readouterr().err == f"{tmp_path}/b: the settings and the seed of {tmp_path}/a; counted once\n"


def test_a_copied_run_counts_once_and_is_named(tmp_path, capsys):
    leave_run(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "copy of a")
    save_table(tmp_path / "copy of a" / "test_table.csv", ROWS)
    leave_run(tmp_path / "b", seed=1)
    assert [run.folder.name for run in read_runs([tmp_path])] == ["copy of a", "b"]       # the one with a table
    assert capsys.readouterr().err == (
        f"{tmp_path}/copy of a: the settings and the seed of {tmp_path}/a; counted once\n")


def test_a_linked_run_is_found_even_where_links_go_in_circles(tmp_path):
    leave_run(tmp_path / "elsewhere" / "2a")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "round").symlink_to(tmp_path / "results")
    assert [run.part for run in read_runs([tmp_path / "results"])] == ["2a"]
    assert len(find_files([tmp_path / "results"], "record.json")) == 1


@pytest.mark.parametrize("text", [
    "", "{}", "[]", "{\"curves\": 1}", "{\"curves\": {}, \"color\": 1}", "\x00", "\xff", "3"])
def test_a_foreign_record_is_named_and_left_out(text, tmp_path, capsys):
    leave_run(tmp_path / "2a")
    (tmp_path / "record.json").write_text(text, encoding="latin-1")
    assert [run.part for run in read_runs([tmp_path])] == ["2a"]
    assert capsys.readouterr().err.startswith(
        f"{tmp_path}/record.json: not the record of a run; move it away")


@pytest.mark.parametrize("change", [
    {"part": "4x"}, {"part": ["2a"]}, {"more": 1}, {"kept_epoch": 3}, {"curves": {"train_loss": []}},
    {"curves": {name: [1] * (1 + (name == "test_loss")) for name in CURVES}}, {"curves": {"train_loss": ["low"]}}])
def test_a_record_of_another_make_is_refused(change, tmp_path):
    leave_run(tmp_path / "a")
    path = tmp_path / "a" / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UserError, match="not the record of a run"):
        read_runs([tmp_path])


@pytest.mark.parametrize("missing", ["options", "network", "data", "weights", "kept_epoch", "overridden"])
def test_a_record_that_lacks_something_as_earlier_versions_do_is_refused(missing, tmp_path):
    leave_run(tmp_path / "a")
    path = tmp_path / "a" / "record.json"
    record = json.loads(path.read_text())
    del record[missing]
    path.write_text(json.dumps(record))
    with pytest.raises(UserError, match="not the record of a run"):
        read_runs([tmp_path])


def test_an_infinite_perplexity_is_a_figure(tmp_path):
    save_table(tmp_path / "table.csv", [{"perplexity": "inf", "next-word accuracy": "1.00"}])
    assert read_table(tmp_path / "table.csv")[0]["perplexity"] == "inf"


def test_a_sheet_for_excel_says_that_it_is_utf8(tmp_path):
    save_table(tmp_path / "sheet.csv", [{"accuracy": "87.17 ± 0.07"}], mark=BYTE_ORDER_MARK)
    assert (tmp_path / "sheet.csv").read_bytes() == b"\xef\xbb\xbfaccuracy\n" + "87.17 ± 0.07\n".encode()
    assert read_table(tmp_path / "sheet.csv") == [{"accuracy": "87.17 ± 0.07"}]


def test_a_table_is_read_as_it_was_written(tmp_path):
    save_table(tmp_path / "table.csv", ROWS)
    assert read_table(tmp_path / "table.csv") == [{name: str(value) for name, value in row.items()} for row in ROWS]
    content = (tmp_path / "table.csv").read_bytes()
    assert content.startswith(b"sequence length,test accuracy,test loss,weights\n50,76.00,0.5000,crc-1\n")


TABLE = "sequence length,test accuracy,test loss,weights\n50,76.00,0.5000,crc-1\nwhole,81.00,0.5000,crc-1\n"


@pytest.mark.parametrize("content", [
    ("\ufeff" + TABLE).encode(), TABLE.replace("\n", "\r\n").encode(), TABLE.replace(".00", "").encode(),
    "".join([TABLE.splitlines(True)[k] for k in (0, 2, 1)]).encode()], ids=["mark", "line ends", "numbers", "sorted"])
def test_a_table_that_a_spreadsheet_saved_is_read(content, tmp_path):
    leave_run(tmp_path / "a")
    (tmp_path / "a" / "test_table.csv").write_bytes(content)
    [run] = read_runs([tmp_path])
    assert run.accuracy() == {"50": 76.0, "whole": 81.0}


@pytest.mark.parametrize("content", [
    b"", b"test accuracy\n", TABLE.replace("76.00", "12. Mai").encode(), TABLE.replace("76.00", '"76,00"').encode(),
    TABLE.replace(",", ";").encode(), TABLE.encode("utf-16"), TABLE.encode("utf-16")[3:], (TABLE + "100\n").encode(),
    b"PK\x03\x04\x00\xff"])
def test_a_run_whose_table_is_none_of_a_test_counts_as_not_tested(content, tmp_path, capsys):
    leave_run(tmp_path / "a")
    (tmp_path / "a" / "test_table.csv").write_bytes(content)
    [run] = read_runs([tmp_path])
    assert run.table == []
    assert capsys.readouterr().err.startswith(f"{tmp_path}/a/test_table.csv: ")
