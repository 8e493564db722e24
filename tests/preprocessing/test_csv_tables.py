"""Tables of texts of one's own, as spreadsheets and pandas write them."""

import pytest

from common.errors import UserError
from common.preprocessing.csv_tables import read_tables

TEST = "text,label\nfine,pos\npoor,neg\n"


def read(folder, train, test=TEST, text="text", label="label", encoding="utf-8"):
    for name, content in ("train.csv", train), ("test.csv", test):
        (folder / name).write_bytes(content.encode(encoding))
    return read_tables(folder / "train.csv", folder / "test.csv", text, label)


def texts(reviews):
    return [(review.split, review.label, review.name, review.text) for review in reviews]


def test_reviews_come_in_the_order_of_the_preprocessed_files_named_by_their_lines(tmp_path):
    reviews, names = read(tmp_path, "label,text\nneg,bad\npos,good\n,nothing\npos,nice\n")
    assert names == ["neg", "pos"]
    assert texts(reviews) == [
        ("train", "pos", "3_0.txt", "good"), ("train", "pos", "5_0.txt", "nice"), ("train", "neg", "2_0.txt", "bad"),
        ("train", "unsup", "4_0.txt", "nothing"), ("test", "pos", "2_0.txt", "fine"),
        ("test", "neg", "3_0.txt", "poor")]
    assert all((review.film, review.rating) == ("", 0) for review in reviews)


@pytest.mark.parametrize("change", [
    lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n"), lambda text: text.replace("\n", "\r"),
    lambda text: text.replace(",", ";"), lambda text: text.replace(",", "\t"), lambda text: "sep=,\n" + text,
    lambda text: text.replace("label", '" label "'), lambda text: text + ",,\n\n , \n", lambda text: text.rstrip()])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
def test_tables_are_read_as_spreadsheets_write_them(change, encoding, tmp_path):
    tables = 'no,label,text\n1,neg,bad\n2,pos,"caf\u00e9"\n', "no,label,text\n1,neg,poor\n2,pos,fine\n"
    reviews, _ = read(tmp_path, *map(change, tables), encoding=encoding)
    assert [review.text for review in reviews] == ["caf\u00e9", "bad", "fine", "poor"]


def test_windows_1252_is_read_with_a_note(tmp_path, capsys):
    reviews, _ = read(tmp_path, "text,label\ncaf\u00e9 \u2019,pos\nbad,neg\n", encoding="cp1252")
    assert reviews[0].text == "caf\u00e9 \u2019"
    assert "train.csv: is not in UTF-8 and is read as Windows-1252" in capsys.readouterr().err


def test_texts_may_have_lines_quotes_and_commas(tmp_path):
    reviews, _ = read(tmp_path, 'text,label\n"So ""good"",\nreally; yes",pos\nbad,neg\n')
    assert reviews[0].text == 'So "good",\nreally; yes'


@pytest.mark.parametrize("labels, names", [
    (("0", "1"), ["0", "1"]), (("10", "9"), ["9", "10"]), (("1.0", "0.0"), ["0", "1"]),
    (("TRUE", "False"), ["False", "True"]),
    (("spam", "ham"), ["ham", "spam"]), (("Positive", "negative"), ["negative", "Positive"]),
    (("-1", "1"), ["-1", "1"])])
def test_the_later_of_two_labels_by_number_or_alphabet_is_the_positive_one(labels, names, tmp_path):
    first, second = labels
    reviews, found = read(tmp_path, f"text,label\na,{first}\nb, {second} \n", f"text,label\na,{first}\nb,{second}\n")
    assert found == names
    by_text = {review.text: review.label for review in reviews}
    assert by_text["a"] != by_text["b"]


@pytest.mark.parametrize("train, test, message", [
    ("text,label\na,pos\nb,neg\nc,mixed\n", TEST, r"column 'label' has 3 labels, not two \('mixed' at .*train.csv:4, "),
    ("text,label\na,pos\n", "text,label\na,pos\n", "has 1 labels, not two"),
    ("text,label\n", "text,label\n", "0 labels.*none"),
    ("text,label\na,pos\nb,neg\n", "text,label\na,pos\n", r"test.csv: has no row with the label 'neg'"),
    ("review,label\na,pos\n", TEST,
     "train.csv: has no column 'text' and 'label', but 'review', 'label'; name .* --text and --label"),
    ("text,label\na,pos\nso, good,pos\n", TEST, r"train.csv:3: has 3 cells, but the header 2; put quotation marks"),
    ("text,label\na,pos\nb\n", TEST, r"train.csv:3: has 1 cells"),
    ('text,label\na,pos\n"open,neg\n', TEST, r"train.csv:3: unexpected end of data"),
    ("", TEST, "train.csv: has no column .* but none"), ("PK\3\4", TEST, "train.csv: is a workbook or an archive"),
    ("PAR1", TEST, "train.csv: is a workbook or an archive")])
def test_what_is_no_such_table_is_refused(train, test, message, tmp_path):
    with pytest.raises(UserError, match=message):
        read(tmp_path, train, test)


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(UserError, match="none.csv: cannot be read .No such file or directory.; give a table in CSV"):
        read_tables(tmp_path / "none.csv", tmp_path / "none.csv", "text", "label")
