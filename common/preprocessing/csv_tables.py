"""A dataset of one's own from two tables, as spreadsheets and pandas write them in CSV."""

import contextlib
import csv
import io
import re
import sys

from common.errors import UserError
from common.preprocessing.raw_reviews import RawReview, sort_reviews
from common.preprocessing.text_cleaning import decode_any

csv.field_size_limit(2 ** 31 - 1)       # a text may be a book


def read_tables(train, test, text, label):
    """Read a dataset of one's own from two CSV files.

    Args:
        train, test: paths of the files, whose cells stand between commas, semicolons or tabs.
        text, label: names of the columns. There are two labels, whatever their names; a text of the
            training file without one is an unlabelled text.

    Returns:
        (reviews, names): list of RawReview in the order of the preprocessed files, named by their rows;
        names of the labels, [that of neg, that of pos], which is the order of numbers or else of the alphabet.

    Raises:
        UserError: a file that cannot be read or is no such table, a third label, or one that is missing.
    """
    rows = [(split, path, line, content, label_of(name.strip()))
            for split, path in (("train", train), ("test", test))
            for line, content, name in read_columns(path, text, label)]
    places = {name: f"{path}:{line}" for _, path, line, _, name in reversed(rows)}
    names = sorted(places.keys() - {""}, key=lambda name: (name.casefold(), name))
    with contextlib.suppress(ValueError):
        names.sort(key=float)
    if len(names) != 2:
        found = ", ".join(f"{name!r} at {places[name]}" for name in names[:3])
        raise UserError(f"{train} and {test}: column {label!r} has {len(names)} labels, not two ({found or 'none'}); "
                        "leave the other rows out, or name another column with --label")
    for path in train, test:
        for name in set(names) - {row[4] for row in rows if row[1] == path}:
            raise UserError(f"{path}: has no row with the label {name!r}; both files need both labels")
    short = dict(zip(["", *names], ["unsup", "neg", "pos"]))
    return sort_reviews(RawReview(split, short[name], f"{number}_0.txt", 0, "", content)
                        for split, _, number, content, name in rows if name or split == "train"), names


def label_of(name):
    """A label as it is named; spreadsheets write TRUE for True, and pandas 1.0 for 1 where some are missing."""
    return name.capitalize() if name.casefold() in ("true", "false") else re.sub(r"^(-?[0-9]+)\.0$", r"\1", name)


def read_columns(path, *columns):
    """Cells of a table's columns in each row that is not empty: a list of (line, cell of each column).

    Raises:
        UserError: a file that cannot be read, has no such columns, or rows of other lengths.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give a table in CSV") from error
    if content.startswith((b"PK", b"\xd0\xcf\x11\xe0", b"PAR1", b"\x1f\x8b")):
        raise UserError(f"{path}: is a workbook or an archive, no CSV; save the sheet as 'CSV UTF-8', or unpack it")
    text, is_unicode = decode_any(content)
    if not is_unicode:
        print(f"{path}: is not in UTF-8 and is read as Windows-1252", file=sys.stderr)
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("sep=")), "")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t|", key=first.count), strict=True)
    found = []
    try:
        header = next((row for row in rows if row and not row[0].startswith("sep=")), [])     # which is for Excel alone
        header = [name.strip() for name in header]
        if not {*columns} <= {*header}:
            options = " and ".join(["--text", "--label"][:len(columns)])
            raise UserError(f"{path}: has no column {' and '.join(map(repr, columns))}, but "
                            f"{', '.join(map(repr, header)) or 'none'}; name columns with {options}")
        places = [*map(header.index, columns)]
        for row in rows:
            if any(cell.strip() for cell in row):
                if len(row) <= max(places) or any(row[len(header):]):
                    raise UserError(f"{path}:{rows.line_num}: has {len(row)} cells, but the header {len(header)}; "
                                    "put quotation marks around texts with commas")
                found.append((rows.line_num, *(row[place] for place in places)))
    except csv.Error as error:
        raise UserError(f"{path}:{rows.line_num}: {error}; save the table again as CSV") from error
    return found
