"""Runs are grouped into trials, and a trial says what it reached."""

import pytest
from leave_runs import IMDB, NAN, NETWORK, SAMPLE, TABLES, curves, leave_results, leave_run

from common.results.records import Run, read_runs
from common.results.trials import assignment, data_of, first_and_best, mean, read_curves, shown_length, trials_of


@pytest.fixture
def results(tmp_path):
    return leave_results(tmp_path)


def test_runs_that_differ_in_when_they_looked_at_the_test_reviews_are_one_trial(tmp_path):
    leave_run(tmp_path / "a", "1a", test_every=1)
    leave_run(tmp_path / "b", "1a", test_every=6, seed=1)
    [trial] = trials_of(read_runs([tmp_path]))["1a"]
    assert len(trial.runs) == 2


def test_runs_that_differ_in_the_seed_alone_are_one_trial(results):
    trials = trials_of(read_runs([results]))["1a"]
    assert [len(trial.runs) for trial in trials] == [2, 1]
    assert [trial.name(trials) for trial in trials] == ["assignment", "overfit"]


def test_a_trial_is_named_by_its_recipe_its_network_and_what_tells_it_from_others_of_that_name(tmp_path):
    leave_run(tmp_path / "a", "2a", hidden_units=300)
    leave_run(tmp_path / "b", "2a", hidden_units=100, recipe="underfit")
    leave_run(tmp_path / "c", "2a")
    network = {"file": "2a/other_networks/networks.py", "class": "SentimentRNN", "source": 1}
    leave_run(tmp_path / "d", "2a", network=network)
    trials = trials_of(read_runs([tmp_path]))["2a"]
    assert [trial.name(trials) for trial in trials] == [
        "assignment, hidden units 300", "assignment, hidden units 500", "underfit",
        "SentimentRNN of 2a/other_networks/networks.py"]
    assert trials[2].differences(trials[:3]) == "hidden units 100"


@pytest.mark.parametrize("train, test, accuracy, expected", [
    ([0.6, 0.3, 0.1], [0.5, 0.4, 0.6], 0.99,
     "overfits from epoch 3: test loss 0.400 to 0.600 while the training loss falls from 0.300 to 0.100"),
    ([0.6, 0.5, 0.4], [0.6, 0.5, 0.4], 0.85, "still improving: test loss 0.500 to 0.400 from epoch 2 to 3"),
    ([0.6, 0.5, 0.4, 0.3], [NAN, 0.5, NAN, 0.4], 0.85,
     "still improving: test loss 0.500 to 0.400 from epoch 2 to 4"),
    ([0.69, 0.68, 0.68], [0.69, 0.68, 0.68], 0.56,
     "underfits: 56 % correct in training, 56 % in the test after it"),
    ([0.69, 0.66, 0.6], [0.69, 0.65, 0.6], 0.7,
     "underfits: 70 % correct in training, 70 % in the test after it; "
     "still improving: test loss 0.650 to 0.600 from epoch 2 to 3"),
    ([0.5, 0.4, 0.4], [0.5, 0.4, 0.401], 0.9, "levelled off at epoch 2, test loss 0.400"),
    ([0.5, 0.4, 0.35], [0.5, 0.4, 0.404], 0.9, "levelled off at epoch 2, test loss 0.400"),
    ([0.5, 0.4, 0.41], [0.5, 0.4, 0.45], 0.9, "levelled off at epoch 2, test loss 0.400"),
    ([0.5, 0.4], [NAN, 0.4], 0.9, "too few epochs to tell")])
def test_curves_are_read_in_one_line(train, test, accuracy, expected):
    assert read_curves(trained("2a", curves(train, test, accuracy, test_accuracy=accuracy))) == expected


def trained(part, curves, kept_epoch=None):
    return Run(None, part, {}, [], {}, 60, {}, {}, "crc-1", kept_epoch or len(curves["train_loss"]), curves)


def test_a_network_that_tests_well_does_not_underfit_though_dropout_keeps_its_training_accuracy_low():
    found = curves([0.5, 0.45, 0.44], [0.5, 0.4, 0.398], 0.79, test_accuracy=0.858)
    assert read_curves(trained("2a", found)) == "levelled off at epoch 3, test loss 0.398"


def test_the_validation_loss_counts_more_than_the_test_loss():
    found = curves([0.5, 0.3, 0.2], [0.5, 0.4, 0.3]) | {"validation_loss": [0.5, 0.3, 0.6]}
    assert read_curves(trained("2a", found)).startswith("overfits from epoch 3: validation loss 0.300 to 0.600")


def test_of_a_kept_epoch_it_says_which():
    found = curves([0.5, 0.3, 0.2], [0.5, 0.4, 0.3]) | {"validation_loss": [0.5, 0.3, 0.6]}
    assert read_curves(trained("2a", found, kept_epoch=2)) == (
        "stopped after epoch 3 and kept epoch 2, whose validation loss of 0.300 was 0.600 at the end")


def test_a_language_models_next_word_accuracy_is_no_underfitting():
    found = read_curves(trained("3a", curves([5, 4.5, 4.4], [5, 4.5, 4.49], 0.2, test_accuracy=0.2)))
    assert found == "levelled off at epoch 3, test loss 4.490"


@pytest.mark.parametrize("other, name", [
    (IMDB | {"reviews": 0xABC}, "reviews 00000abc"), (IMDB | {"glove": 0xBEE}, "glove 00000bee"),
    (IMDB | {"language_model": 7}, "language model 00000007")])
def test_runs_on_other_data_are_no_seeds_of_a_trial_and_are_told_apart(other, name, tmp_path):
    leave_run(tmp_path / "a", "2a", data=IMDB | {"glove": 1, "language_model": 1})
    leave_run(tmp_path / "b", "2a", data={"glove": 1, "language_model": 1} | other, seed=1)
    trials = trials_of(read_runs([tmp_path]))["2a"]
    assert [len(trial.runs) for trial in trials] == [1, 1]
    assert trials[1].name(trials) == f"assignment, {name}"


def test_assignment_means_all_of_the_assignments_settings(tmp_path):
    leave_run(tmp_path / "a", "1a", hidden_units=64, overridden=["hidden_units"])
    leave_run(tmp_path / "b", "1a", recipe="best", ngrams=4, overridden=["ngrams"])
    trials = trials_of(read_runs([tmp_path]))["1a"]
    assert [trial.title for trial in trials] == ["own settings", "best, changed"]


def test_another_network_is_no_seed_of_the_parts_own_and_not_the_assignment(tmp_path):
    gru = {"file": "gru/RNN_model.py", "class": "RNN_model", "source": 8}
    leave_run(tmp_path / "a", "1a", network=NETWORK)
    leave_run(tmp_path / "b", "1a", network=gru, seed=1)
    leave_run(tmp_path / "c", "1a", network=gru, recipe="best")
    assert [(trial.title, len(trial.runs)) for trial in trials_of(read_runs([tmp_path]))["1a"]] == [
        ("assignment", 1), ("RNN_model of gru/RNN_model.py", 1), ("RNN_model of gru/RNN_model.py, best", 1)]


def test_a_network_whose_file_was_changed_is_told_from_what_it_was(tmp_path):
    leave_run(tmp_path / "a", "1a", network=NETWORK)
    leave_run(tmp_path / "b", "1a", network=NETWORK | {"source": 10}, seed=1)
    trials = trials_of(read_runs([tmp_path]))["1a"]
    assert [trial.name(trials) for trial in trials] == ["assignment, network 00000009", "assignment, network 0000000a"]


def test_a_spread_says_what_it_is_over(tmp_path):
    for seed in range(3):
        leave_run(tmp_path / f"1a{seed}", "1a", seed=seed)
        leave_run(tmp_path / f"3c{seed}", "3c", TABLES["2a"], data=IMDB | {"language_model": 7}, seed=seed)
    leave_run(tmp_path / "2a", "2a")
    trials = trials_of(read_runs([tmp_path]))
    assert {part: some[0].spread() for part, some in trials.items()} == {
        "1a": "3 seeds", "2a": "", "3c": "3 seeds, one language model"}


def test_an_infinite_perplexity_has_no_spread(tmp_path):
    for seed in 0, 1:
        leave_run(tmp_path / str(seed), "3a", [{"test loss": "inf", "perplexity": "inf"}], seed=seed)
    [trial] = trials_of(read_runs([tmp_path]))["3a"]
    assert trial.result("whole") == "inf"
    assert mean([1, 3]) == "2.00 ± 1.41"


def test_the_best_recipe_stands_for_a_part_not_the_best_test_accuracy(tmp_path):
    leave_run(tmp_path / "a", "1a", [{"test accuracy": "99.00"}])
    [trial] = trials_of(read_runs([tmp_path]))["1a"]
    assert first_and_best([trial])[-1].title == "assignment"
    leave_run(tmp_path / "b", "1a", [{"test accuracy": "90.00"}], recipe="best")
    trials = trials_of(read_runs([tmp_path]))["1a"]
    assert first_and_best(trials)[-1].title == "best" and [some.title for some in trials] == ["assignment", "best"]


def test_an_lstm_stands_for_the_length_of_the_assignments_best_accuracy(tmp_path):
    leave_run(tmp_path / "a", "2a")
    [trial] = trials_of(read_runs([tmp_path]))["2a"]
    assert shown_length([trial]) == "400" and trial.result("400") == "86.00"
    assert assignment("2a", "400") == "87.25"


@pytest.mark.parametrize("change", [{"data": SAMPLE}, {"table": [
    {"sequence length": length, "test accuracy": "80.00"} for length in ("50", "whole")]}])
def test_it_stands_for_whole_reviews_where_data_or_lengths_are_others(change, tmp_path):
    leave_run(tmp_path / "a", "2a", **change)
    assert shown_length(trials_of(read_runs([tmp_path]))["2a"]) == "whole"
    assert assignment("2a", "whole") == ""


def test_only_lengths_that_all_seeds_were_tested_at_are_averaged(tmp_path):
    rows = [{"sequence length": length, "test accuracy": "80.00", "test loss": "0.4"} for length in (50, 400, "whole")]
    leave_run(tmp_path / "a", "2a", rows)
    leave_run(tmp_path / "b", "2a", rows[1:], seed=1)
    [trial] = trials_of(read_runs([tmp_path]))["2a"]
    assert trial.result("50") == "" and trial.result("400") == "80.00 ± 0.00"


def test_a_run_that_was_not_tested_has_no_result(tmp_path):
    for part in "1a", "3a":
        leave_run(tmp_path / part, part)
        (tmp_path / part / "test_table.csv").unlink()
        [trial] = trials_of(read_runs([tmp_path]))[part]
        assert trial.result(shown_length([trial])) == ""


@pytest.mark.parametrize("data, name", [
    (IMDB, "the 25,000 test reviews of the IMDB dataset"), (SAMPLE, "the 600 test reviews of the sample"),
    ({"name": "other", "test_reviews": 1234, "reviews": 9}, "1,234 test texts of another dataset"),
    ({"name": "yelp", "test_reviews": 56, "reviews": 8}, "56 test texts of another dataset")])
def test_data_sets_are_called_by_their_names(data, name, tmp_path):
    leave_run(tmp_path / "a", "1a", data=data)
    assert data_of(*read_runs([tmp_path])) == name
