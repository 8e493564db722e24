"""Part 3b: sampling, generating and printing reviews."""

import re
import sys

import pytest
import torch
from nltk.tokenize.punkt import PunktSentenceTokenizer
from parts import load_script

from common.checkpoints import write_checkpoint
from common.errors import UserError


generator, sampling = load_script("3b", "generate_review.py"), load_script("3b", "sampling.py")


def write(*arguments, **options):
    """The token ids alone."""
    return sampling.generate(*arguments, **options)[0]


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = load_script("3a", "RNN_language_model.py").RNN_language_model(vocab_size=30, no_of_hidden_units=16)
    for parameter in model.parameters():
        if parameter.dim() == 2:    # far from uniform, so that each state has its own next word
            torch.nn.init.normal_(parameter)
    return model.eval()


LOGITS = torch.tensor([[5.0, 1.0, 3.0, 2.0, 0.0], [0.0, -1.0, 4.0, 4.5, 1.0]])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_probabilities_are_the_softmax_at_the_temperature_without_the_unknown_token(temperature):
    probabilities = sampling.sampling_probabilities(LOGITS.clone(), temperature)
    assert (probabilities[:, 0] == 0).all()
    torch.testing.assert_close(probabilities[:, 1:], (LOGITS[:, 1:] / temperature).softmax(dim=1))


def test_the_logits_stay_as_they_are():
    logits = LOGITS.clone()
    sampling.sampling_probabilities(logits, 1.0)
    assert torch.equal(logits, LOGITS)


@pytest.mark.parametrize("temperature", [1e-3, 1e-30])
def test_the_lowest_temperatures_take_the_likeliest_word(temperature):
    probabilities = sampling.sampling_probabilities(LOGITS.clone(), temperature)
    torch.testing.assert_close(probabilities, torch.tensor([[0.0, 0, 1, 0, 0], [0.0, 0, 0, 1, 0]]))


@pytest.mark.parametrize("top_p, kept", [(0.01, [1]), (0.5, [1]), (0.51, [1, 3]), (0.8, [1, 3]), (0.81, [1, 3, 2]),
                                         (0.99, [1, 3, 2, 4]), (1.0, [1, 3, 2, 4])])
def test_top_p_keeps_the_likeliest_words_that_reach_it(top_p, kept):
    shares = torch.tensor([0.0, 0.5, 0.15, 0.3, 0.05])
    [row] = sampling.sampling_probabilities(shares.log()[None], 1.0, top_p=top_p)
    assert set(row.nonzero()[:, 0].tolist()) == set(kept)
    torch.testing.assert_close(row[kept], shares[kept] / shares[kept].sum())


def test_words_are_drawn_as_often_as_they_are_probable():
    torch.manual_seed(0)
    probabilities = torch.tensor([0, 0.5, 0, 0.3, 0.2, 0])
    drawn = sampling.sample(probabilities.expand(100_000, -1))
    assert drawn.shape == (100_000, 1)
    shares = drawn.flatten().bincount(minlength=6) / 100_000
    torch.testing.assert_close(shares, probabilities, atol=0.01, rtol=0)
    assert shares[probabilities == 0].tolist() == [0, 0, 0]


def test_reviews_have_the_length_and_start_with_their_prompts(model):
    prompts = [[1], [2, 3, 4], [5, 6]]
    reviews = write(model, prompts, length=9, temperature=1.0)
    assert reviews.shape == (3, 9)
    for review, prompt in zip(reviews.tolist(), prompts):
        assert review[:len(prompt)] == prompt


def test_a_prompt_longer_than_the_review_is_cut(model):
    assert write(model, [[1, 2, 3, 4, 5], [6]], length=3, temperature=1.0)[0].tolist() == [1, 2, 3]


def test_the_unknown_token_is_never_sampled(model):
    torch.manual_seed(0)
    with torch.no_grad():
        model.decoder.bias[0] = 100.0
    reviews = write(model, [[1]] * 20, length=30, temperature=5.0)
    assert (reviews != 0).all()


def test_the_unknown_token_may_stand_in_a_prompt(model):
    assert write(model, [[0, 1]], length=4, temperature=1.0)[0, :2].tolist() == [0, 1]


def test_prompts_of_different_lengths_give_what_each_gives_alone(model):
    prompts = [[1], [2, 3, 4, 5, 6, 7], [5, 6], [2]]
    together = write(model, prompts, length=12, temperature=1.0, top_p=1e-9)
    for prompt, review in zip(prompts, together):
        alone = write(model, [prompt], length=12, temperature=1.0, top_p=1e-9)
        assert torch.equal(review, alone[0])
    assert len({tuple(review[6:].tolist()) for review in together}) > 1


def test_the_likeliest_words_are_those_of_the_whole_sequence(model):
    [review] = write(model, [[1, 2]], length=10, temperature=1.0, top_p=1e-9)
    with torch.no_grad():
        logits = model(torch.cat([review, review[:1]])[None], train=False)[0]   # vocab, time
    assert torch.equal(logits[1:].argmax(dim=0)[1:9] + 1, review[2:])


def test_the_seed_decides_the_review(model):
    def seeded(seed):
        torch.manual_seed(seed)
        return write(model, [[1], [2, 3]], length=30, temperature=2.0)
    assert torch.equal(seeded(1), seeded(1))
    assert not torch.equal(seeded(1), seeded(2))


def test_a_lower_temperature_repeats_the_likeliest_words(model):
    likeliest = write(model, [[1]], length=20, temperature=1.0, top_p=1e-9)
    torch.manual_seed(0)
    assert torch.equal(write(model, [[1]], length=20, temperature=0.001), likeliest)
    assert not torch.equal(write(model, [[1]], length=20, temperature=10.0), likeliest)


def test_each_word_has_the_probability_that_it_was_drawn_with(model):
    [review], [drawn_with] = sampling.generate(model, [[1, 2]], length=8, temperature=1.5, top_p=0.9)
    with torch.no_grad():
        logits = model(torch.cat([review, review[:1]])[None], train=False)[0].T     # time, vocab
    expected = sampling.sampling_probabilities(logits, 1.5, top_p=0.9)[torch.arange(7), review[1:]]
    assert drawn_with[:2].isnan().all()
    torch.testing.assert_close(drawn_with[2:], expected[1:])


@pytest.mark.parametrize("tokens, text", [
    ("did n't", "Didn't"),
    ("i ca n't say i wo n't", "I can't say I won't"),
    ("you can not", "You cannot"),
    ("i 'm sure they 've seen it 's not what i 'd say we 'll like",
     "I'm sure they've seen it's not what I'd say we'll like"),
    ("the director 's film , and the actor 's face", "The director's film, and the actor's face"),
    ("gon na got ta wan na gim me lem me", "Gonna gotta wanna gimme lemme"),
    ("it got me and he can make it", "It got me and he can make it"),
    ("what got na can me", "What got na can me"),
    ("good . really ? yes ! fine ; well : so", "Good. Really? Yes! Fine; well: so"),
    ("well ... it is", "Well... It is"),
    ("a `` great '' film", 'A "great" film'),
    ("he said `` no . '' it ended", 'He said "no." It ended'),
    ("this ( and that ) , 100 % for $ 5", "This (and that), 100% for $5"),
    ("i think i like it , i do", "I think I like it, I do"),
    ("in his film iii", "In his film iii"),
    ("", ""),
])
def test_readable_text_is_as_a_person_would_write_it(tokens, text):
    assert generator.readable(tokens.split()) == text


def test_a_prompts_words_become_token_ids(capsys):
    assert generator.encode_prompt("i love  this", ["this", "i", "love"], str.split) == [2, 3, 1]
    assert capsys.readouterr().err == ""


def test_a_prompts_unknown_words_are_named(capsys):
    assert generator.encode_prompt("i adore this movie", ["this", "i", "love"], str.split) == [2, 0, 1, 0]
    assert capsys.readouterr().err.endswith(": adore movie\n")


@pytest.mark.parametrize("prompt", ["", "  ", "adore"])
def test_a_prompt_without_a_known_word_is_refused(prompt):
    with pytest.raises(UserError, match=f"--prompt '{prompt}': no word that the model knows; give one"):
        generator.encode_prompt(prompt, ["this", "i", "love"], str.split)


def test_a_prompt_is_cut_as_preprocessing_did_where_its_tokenizer_is_there(monkeypatch, tmp_path):
    monkeypatch.setattr("common.preprocessing.tokenizer.load_punkt", lambda fetch: PunktSentenceTokenizer())
    assert generator.prompt_tokenizer(tmp_path)("I didn't. Great!") == ["i", "did", "n't", ".", "great", "!"]


@pytest.mark.parametrize("missing", ["nltk", "punkt"])
def test_a_prompt_is_cut_at_its_spaces_where_it_is_not(missing, monkeypatch, tmp_path):
    def load_punkt(fetch):
        assert not fetch
        raise UserError("punkt_tab: not installed")
    monkeypatch.setattr("common.preprocessing.tokenizer.load_punkt", load_punkt)
    if missing == "nltk":
        monkeypatch.delitem(sys.modules, "common.preprocessing.tokenizer")
        monkeypatch.setitem(sys.modules, "nltk", None)
    assert generator.prompt_tokenizer(tmp_path)("I  did n\u2019t. Great!") == ["i", "did", "n't.", "great!"]


@pytest.fixture
def run_script(model, run_here, tmp_path):
    """Runs 3b/generate_review.py on the model, whose words are aa, bb, ... -> as run_here."""
    words = [chr(ord("a") + k) * 2 for k in range(29)]
    write_checkpoint(tmp_path / "language.model", "3a", {
        "model": model.state_dict(), "arguments": {"vocab_size": 30, "no_of_hidden_units": 16}, "vocabulary": words,
        "options": {}})

    def run_script(*options):
        return run_here("3b/generate_review.py", "--language-model", tmp_path / "language.model", "--data", tmp_path,
                        "--output", tmp_path, *options)
    return run_script


def test_explain_adds_the_probabilities_to_the_words(run_script, tmp_path):
    status, stdout, _ = run_script("--prompt", "aa bb", "--temperature", "1", "--length", "5", "--explain")
    assert status == 0
    _, text, explained = (tmp_path / "generated_reviews.txt").read_text().splitlines()
    assert re.sub(r"\([01]\.\d\d\)", "", explained).capitalize() == text
    assert re.fullmatch(r"aa bb( \S\S\([01]\.\d\d\)){3}", explained)
    assert explained in stdout


def test_the_file_is_named_on_the_last_line(run_script, tmp_path):
    _, stdout, _ = run_script("--prompt", "aa")
    assert stdout.splitlines()[-1] == f"wrote {tmp_path / 'generated_reviews.txt'}"


@pytest.mark.parametrize("prompt", ["zebra", "", "  "])
def test_a_prompt_without_a_known_word_leaves_no_file(prompt, run_script, tmp_path):
    status, _, stderr = run_script("--prompt", "aa", prompt)
    [line] = stderr.splitlines()
    assert status == 2 and line.startswith("error: --prompt '") and "no word that the model knows" in line
    assert not (tmp_path / "generated_reviews.txt").exists()


@pytest.mark.parametrize("argv", ["--temperature 1 0", "--temperature -1", "--temperature inf", "--length 0",
                                  "--top-p 0", "--top-p 1.1", "--prompt"])
def test_a_wrong_option_is_refused(argv, run_script):
    status, _, stderr = run_script(*argv.split())
    assert status == 2
    [line] = stderr.splitlines()
    assert line.startswith(f"error: {argv.split()[0]}: ")
