"""Tables of text: CSV, TSV, JSON lines, plain lines, standard input."""

import io
import sys
import tracemalloc

import pytest

from faast.data import DataError, guess_modality, open_reader, open_rows


def read(source):
    """All rows, labels and line numbers of a source."""
    rows, labels, numbers = [], [], []
    for batch in source:
        rows += batch.rows
        labels += batch.labels or []
        numbers += batch.numbers
    return rows, labels, numbers


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_csv_numbers_rows_by_the_line_they_begin_on(write):
    path = write("a.csv", 'text,label\r\n"one, two",x\r\n"three\nfour",y\r\n\r\nfive,x\r\n')
    rows, labels, numbers = read(open_rows(path))
    assert rows == ["one, two", "three\nfour", "five"]
    assert labels == ["x", "y", "x"]
    assert numbers == [2, 3, 6]


def test_byte_order_mark_other_columns_and_tabs(write):
    assert read(open_rows(write("a.csv", "\ufefftext,label\nhi,x\n")))[0] == ["hi"]
    path = write("a.tsv", "id\tbody\ty\n1\thello, you\tgood\n")
    source = open_rows(path, row_column="body", label_column="y")
    assert read(source) == (["hello, you"], ["good"], [2])
    assert read(open_rows(write("b.csv", "review,label\nfine,x\n")))[0] == ["fine"]


def test_without_labels(write):
    source = open_rows(write("a.csv", "text,label\nhi,\n"), label_column=None)
    assert next(iter(source)).labels is None
    assert read(open_rows(write("a.txt", "one\n\ntwo\r\n"), label_column=None))[::2] == (
        ["one", "two"],
        [1, 3],
    )


def test_json_lines(write):
    path = write("a.jsonl", '{"text": "a", "label": 3, "id": 1}\n\n{"label": true, "text": "b"}\n')
    assert read(open_rows(path)) == (["a", "b"], [3, True], [1, 3])


def test_other_encodings(write):
    path = write("a.csv", "text,label\ncafé,x\n".encode("latin-1"))
    assert read(open_rows(path, encoding="latin-1"))[0] == ["café"]
    with pytest.raises(DataError, match=r"a\.csv, line 2: the text is not valid.*iconv"):
        read(open_rows(path))
    with pytest.raises(DataError, match=r"there is no text encoding 'klingon'"):
        read(open_rows(path, encoding="klingon"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            "text,label\na,x\nb\n",
            r"a\.csv, line 3: 1 fields, the header has 2; put double",
        ),
        ("a.csv", "text,label\na,x\n,y\n", r"line 3: the text is empty"),
        ("a.csv", "text,label\na,\n", r"line 2: the label is missing"),
        ("a.csv", 'text,label\n"a"b,x\n', r"line 2: .*double quote is probably not closed"),
        ("a.csv", 'text,label\nz,y\n"a,x\nb,x\n', r"line 3: .*double quote is probably not closed"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": "a"', r"a\.jsonl, line 2: no JSON"),
        ("a.jsonl", '{"text": "a", "label": 1}\n["a"]\n', r"line 2: a JSON list, not an object"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": "a"}', r"line 2: no 'label'; .* has text"),
        ("a.jsonl", '{"text": 5, "label": 1}', r"line 1: the text must be a string, got int"),
        ("a.jsonl", '{"text": "a", "label": [1]}', r"the label must be a string or a number"),
        ("a.jsonl", '{"text": "a\\ud800", "label": 1}', r"line 1: the text is not valid text"),
        ("a.jsonl", '{"text": "a", "label": NaN}', r"line 1: the label is missing"),
    ],
)
def test_bad_rows_are_named_or_skipped_and_counted(write, name, content, message):
    path = write(name, content)
    with pytest.raises(DataError, match=message + r".*on_error=\"skip\""):
        read(open_rows(path))
    good = '\n{"text": "last", "label": "z"}\n' if name.endswith("jsonl") else "\nlast,z\n"
    if "not closed" not in message or '"b' in message:
        path = write(name, content + good)
        source = open_rows(path, on_error="skip")
        rows, labels, _ = read(source)
        assert (rows[-1], labels[-1]) == ("last", "z")
        assert source.skipped == 1
        assert len(source.messages) == 1
        assert str(path) in source.messages[0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", r"a\.csv is empty; its first line must name columns"),
        ("a.csv", "text,label\n", r"a\.csv holds no rows$"),
        ("a.csv", "text,text\na,b\n", r"line 1: column 'text' is there twice"),
        ("a.csv", "body,y2\na,b\n", r"no column 'label'; its columns are body, y2"),
        (
            "a.csv",
            "body,title,label\na,b,c\n",
            r"body, title, label; say which one .*--text-column",
        ),
        ("a.csv", "text\n".encode("utf-16"), r"is UTF-16 text; save it as UTF-8"),
        ("a.csv", b"PK\x03\x04....", r"is a zip archive or a spreadsheet"),
        ("a.jsonl", "\n\n", r"a\.jsonl holds no rows$"),
        ("a.xyz", "text,label\n", r"none of the suffixes .*say what it is with format"),
    ],
)
def test_files_that_hold_no_table(write, name, content, message):
    with pytest.raises(DataError, match=message):
        read(open_rows(write(name, content), on_error="skip"))


def test_missing_file_and_unknown_choices(tmp_path, write):
    with pytest.raises(DataError, match=r"there is no file .*gone\.csv"):
        open_rows(tmp_path / "gone.csv")
    path = write("a.csv", "text,label\na,x\n")
    with pytest.raises(DataError, match=r"unknown format 'xml'"):
        open_rows(path, format="xml")
    with pytest.raises(ValueError, match=r'on_error must be "raise" or "skip"'):
        open_rows(path, on_error="ignore")
    with pytest.raises(DataError, match=r"parquet cannot be read from standard input"):
        open_rows("-", format="parquet")
    with pytest.raises(DataError, match=r"no column 'body'; its columns are text, label"):
        read(open_rows(path, row_column="body"))


def test_all_rows_bad_is_said(write):
    with pytest.raises(DataError, match=r"holds no rows \(2 could not be read\)"):
        read(open_rows(write("a.csv", "text,label\na\nb\n"), on_error="skip"))


def test_standard_input(monkeypatch):
    def feed(content):
        stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(content.encode())))
        monkeypatch.setattr(sys, "stdin", stdin)

    feed("text,label\na,x\nb,y\n")
    assert read(open_rows("-")) == (["a", "b"], ["x", "y"], [2, 3])
    feed("one\ntwo\n")
    assert read(open_rows("-", label_column=None))[0] == ["one", "two"]
    feed('{"text": "a", "label": "x"}\n')
    assert read(open_rows("-", format="jsonl"))[0] == ["a"]
    feed("text,label\na\n")
    with pytest.raises(DataError, match=r"standard input, line 2: 1 fields"):
        read(open_rows("-"))


def test_streams_in_small_memory_and_says_how_far_it_is(write):
    path = write("big.csv", "text,label\n" + "".join(f"row number {i},x\n" for i in range(60_000)))
    tracemalloc.start()
    fractions, sizes = [], []
    source = open_rows(path)
    for batch in source:
        sizes.append(len(batch.rows))
        fractions.append(source.fraction)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < path.stat().st_size
    assert set(sizes[:-1]) == {1024}
    assert sum(sizes) == 60_000
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert sum(len(batch.rows) for batch in source) == 60_000  # a second pass begins again


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("text,label\n12,x\n", "text"),
        ("question,label\nwhy?,x\n", "text"),
        ("a,b,label\n1,2.5,x\n", "features"),
        ("a,b,y\n1,2,x\n", "features"),
        ("a,b,label\n1\n", "features"),
        ("file_name,label\ncat.png,x\n", "image"),
        ("picture,label\ncat.PNG,x\n", "image"),
        ("title,body,label\nso,so,x\n", "text"),
    ],
)
def test_what_rows_evidently_are(tmp_path, content, kind):
    (tmp_path / "table.csv").write_text(content)
    assert guess_modality(open_reader(tmp_path / "table.csv")) == kind


def test_a_label_column_is_left_aside_where_there_is_one(tmp_path):
    (tmp_path / "labelled.csv").write_text("question,y\nwhy?,x\n")
    (tmp_path / "bare.csv").write_text("question\nwhy?\n")
    for name in ("labelled.csv", "bare.csv"):
        (batch,) = open_rows(tmp_path / name, labelled=False)
        assert (batch.rows, batch.labels) == (["why?"], None)
