"""Tables of text: CSV, TSV, JSON lines, plain lines, standard input."""

import gzip
import io
import os
import sys
import tracemalloc

import pytest

from faast.data import DataError, guess_modality, open_reader, open_rows
from tests.data.rows import read


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
    path = write("a.jsonl", '{"text": "a", "label": 3, "id": 1}\n\n{"label": 1, "text": "b"}\n')
    assert read(open_rows(path)) == (["a", "b"], [3, 1], [1, 3])


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
        ("a.jsonl", '{"text": "a", "label": "x"}\n{"text": "a"', r"a\.jsonl, line 2: not JSON"),
        ("a.jsonl", '{"text": "a", "label": "x", "text": "b"}', "line 1: 'text' is there twice"),
        ("a.jsonl", '{"text": "a", "label": "x"}\n["a"]\n', r"line 2: a JSON list, not an object"),
        (
            "a.jsonl",
            '{"text": "a", "label": "x"}\n{"text": "a"}',
            r"line 2: no 'label'; .* has text",
        ),
        ("a.jsonl", '{"text": 5, "label": "x"}', r"line 1: the text must be a string, got int"),
        ("a.jsonl", '{"text": "a", "label": {"b": 1}}', r"the label must be a string or a number"),
        ("a.csv", "text,label\na,  \n", r"line 2: the label is missing"),
        (
            "a.jsonl",
            '{"text": "a\\ud800", "label": "x"}',
            r"line 1: .*'\\ud800' is half a character",
        ),
        (
            "a.jsonl",
            '{"text": "a", "label": 1e400}',
            r"line 1: .* must be finite, got inf",
        ),
        ("a.jsonl", '{"text": "a", "label": NaN}', r"line 1: the label is missing"),
    ],
)
def test_bad_rows_are_named_or_skipped_and_counted(write, name, content, message):
    path = write(name, content)
    with pytest.raises(DataError, match=message + r".*on_error=\"skip\" \(--on-error skip\)"):
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
        ("a.csv", "text,label\n", r"a\.csv holds no rows; put one in"),
        ("a.csv", "text,text\na,b\n", r"line 1: column 'text' is there twice"),
        ("a.csv", "body,y2\na,b\n", r"no column 'label'; its columns are body, y2"),
        (
            "a.csv",
            "body,title,label\na,b,c\n",
            r"body, title, label; say which one .*--text-column",
        ),
        ("a.csv", "text\n".encode("utf-16"), r"is UTF-16 text; save it as UTF-8"),
        ("a.csv", b"PK\x03\x04....", r"is a zip archive or a spreadsheet"),
        ("a.csv", b"%PDF-1.7", r"a.csv is a PDF document; save its text"),
        ("a.csv", b"\xff\xd8\xff\xe0", r"a.csv is a picture, not text"),
        ("a.jsonl", "\n\n", r"a\.jsonl holds no rows; put one in"),
        (
            "a.xyz",
            "text,label\n",
            r"none of the suffixes .*say what .* with format \(--format\)",
        ),
        ("a.csv", "text;label\na;b\n", r"no column 'label'.*separated by semicolons: save it with"),
        ("a.csv", "text\tlabel\na\tb\n", r"no column 'label'.*by tabs: .*--format tsv"),
        ("a.csv", '{"text":"a","label":1}\n', r"line 1: .*JSON lines: .*--format jsonl"),
        ("a.csv", b"text,label\xe9\na,b\n", r"line 1: the name of a column is not valid.*iconv"),
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
    with pytest.raises(DataError, match=r"column 'label' cannot hold both .*--text-column"):
        read(open_rows(path, row_column="label"))
    with pytest.raises(DataError, match=r"a\.csv has no splits such as 'test'; .*--split"):
        open_rows(path, split="test")
    with pytest.raises(DataError, match=r"no data is named"):
        open_rows("")


def test_a_pipe_is_refused_with_what_to_do(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for format in (None, "csv"):
        with pytest.raises(DataError, match=r"is not a file but a pipe.* name - instead"):
            open_reader(tmp_path / "pipe", format=format)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ('"1"', "1", r"line 2: the label 1 is a number, the first one is a string"),
        ("1", "true", r"line 2: the label True is true or false, the first one is a number"),
        ("false", '"no"', r"line 2: the label 'no' is a string, the first one is true or false"),
    ],
)
def test_labels_of_one_file_are_of_one_kind(write, first, second, message):
    rows = "".join(f'{{"text": "a", "label": {label}}}\n' for label in (first, second, first))
    path = write("a.jsonl", rows)
    with pytest.raises(DataError, match=message):
        read(open_rows(path))
    assert read(open_rows(path, on_error="skip"))[2] == [1, 3]


def test_long_fields(write):
    text = "long " * 40_000
    assert read(open_rows(write("a.csv", f"text,label\n{text},x\n")))[0] == [text]
    path = write("b.csv", 'text,label\n"' + "a,x\n" * 1_100_000)
    with pytest.raises(DataError, match=r"line 2: a field of more than 4,194,304 characters"):
        read(open_rows(path))


def test_all_rows_bad_is_said(write):
    with pytest.raises(DataError, match=r"holds no rows \(2 could not be read\)"):
        read(open_rows(write("a.csv", "text,label\na\nb\n"), on_error="skip"))


@pytest.fixture
def feed(monkeypatch):
    def feed(content):
        stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(content.encode())))
        monkeypatch.setattr(sys, "stdin", stdin)

    return feed


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("text,label\na b,x\n", ["a b"]),
        ('"review","label"\na b,x\n', ["a b"]),
        ("sentence\nso\n", ["so"]),
        ("good, bad\nlabel\n", ["good, bad", "label"]),
        ("label\nso\n", ["label", "so"]),
    ],
)
def test_texts_to_predict_on_standard_input_are_lines_unless_the_first_is_a_header(
    feed, content, rows
):
    feed(content)
    assert read(open_rows("-", labelled=False))[0] == rows
    feed(content)
    assert read(open_rows("-", labelled=False, format="lines"))[0] == content.splitlines()


def test_standard_input(feed):
    feed("text,label\na,x\nb,y\n")
    assert read(open_rows("-")) == (["a", "b"], ["x", "y"], [2, 3])
    feed("one\ntwo\n")
    assert read(open_rows("-", label_column=None))[0] == ["one", "two"]
    feed('{"text": "a", "label": "x"}\n')
    assert read(open_rows("-", format="jsonl"))[0] == ["a"]
    feed("title,review\nso,fine\n")
    assert read(open_rows("-", row_column="review", labelled=False))[0] == ["fine"]
    feed("good film\n")
    with pytest.raises(DataError, match=r"no column 'label'.*input is read as CSV: .*--format"):
        read(open_rows("-"))
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
        ("image,label\ncat.PNG,x\n", "image"),
        ("title,body,label\nso,so,x\n", "text"),
        ("a,label\n,x\n1,y\n", "features"),
        ("a,b,label\n,1,x\n2, ,y\n", "features"),
        ("a,b,label\n,1,x\n2,,y\n,so,y\n", "features"),
        ("a,b,label\n,1,x\n,2,y\nso,3,y\n", "text"),
        ("a,b,label\n,1,x\n,2,y\n", "features"),
        ("picture,label\n,x\ncat.png,x\n", "image"),
        ("question,label\n,x\n", "text"),
    ],
)
def test_what_rows_evidently_are(tmp_path, content, kind):
    (tmp_path / "table.csv").write_text(content)
    assert guess_modality(open_reader(tmp_path / "table.csv")) == kind


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("10", "text"),
        ("see cat.png", "text"),
        (f"{'long ' * 99}.png", "text"),
        ("my dog.png", "image"),
        ("cat.png", "image"),
        (",x\n2,cat.png", "image"),
    ],
)
def test_what_a_named_column_evidently_holds(tmp_path, cell, kind):
    (tmp_path / "my dog.png").touch()
    (tmp_path / "table.csv").write_text(f"id,review,label\n1,{cell},x\n")
    assert guess_modality(open_reader(tmp_path / "table.csv"), "review") == kind


def test_an_empty_cell_among_numbers_is_named(write):
    path = write("a.csv", "a,b,label\n,1,x\n2,3,y\n")
    with pytest.raises(DataError, match=r"a\.csv, line 2: the cell of column 'a' is empty; fill"):
        read(open_rows(path, modality="features"))
    path = write("a.jsonl", '{"a": 1, "b": null, "label": 0}\n')
    with pytest.raises(DataError, match=r"line 1: the cell of column 'b' is empty"):
        read(open_rows(path, modality="features"))
    path = write("b.csv", "a,b,label\n1,one,x\n")
    with pytest.raises(DataError, match="the features are not all numbers"):
        read(open_rows(path, modality="features"))


def test_a_label_column_is_left_aside_where_there_is_one(tmp_path):
    (tmp_path / "labelled.csv").write_text("question,y\nwhy?,x\n")
    (tmp_path / "bare.csv").write_text("question\nwhy?\n")
    for name in ("labelled.csv", "bare.csv"):
        (batch,) = open_rows(tmp_path / name, labelled=False)
        assert (batch.rows, batch.labels) == (["why?"], None)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
@pytest.mark.parametrize(
    ("first", "second"),
    [('"Great', 'they said"'), ('"Never closed', 'a 27" screen'), ('"Never closed', "the end")],
)
def test_a_stray_quote_costs_at_most_its_own_row(write, name, first, second):
    delimiter = "," if name == "a.csv" else "\t"
    texts = [f"film number {i}" for i in range(200)]
    texts[10], texts[100] = first, second
    path = write(
        name,
        "".join(f"{a}{delimiter}{b}\n" for a, b in [("text", "label")] + [(t, "x") for t in texts]),
    )
    source = open_rows(path, on_error="skip")
    rows, _, numbers = read(source)
    assert len(rows) + source.skipped == 200
    if name == "a.tsv":
        assert rows == texts
    else:
        assert 198 <= len(rows) <= 199
        assert rows == [texts[number - 2] for number in numbers]
        assert "a.csv, line 12: " in source.messages[0]
        with pytest.raises(DataError, match=r"a\.csv, line 12: .*double quote is probably not"):
            read(open_rows(path))


def test_quoted_fields_of_several_lines_are_one_row(write):
    text = "Dear Sir, thanks\n\nfor nothing,\nyours, truly, me\nP.S. one, two\n"
    path = write("a.csv", f'text,label\n"{text}",x\nlast,y\n')
    assert read(open_rows(path)) == ([text, "last"], ["x", "y"], [2, 8])


def test_tsv_as_pandas_writes_it(write):
    path = write("a.tsv", 'text\tlabel\n"he said ""hi"""\tx\n""" odd"\ty\n"a\tb"\tx\n"\tz\n')
    source = open_rows(path, on_error="skip")
    assert read(source) == (['he said "hi"', '" odd', '"'], ["x", "y", "z"], [2, 3, 5])
    assert "line 4: 3 fields, the header has 2; a field cannot hold a tab" in source.messages[0]


def test_columns_of_features_have_names_and_are_matched_by_them(write):
    source = open_rows(write("a.csv", "a,label,b\n1,x,2\n"), modality="features")
    assert source.feature_names is None
    (batch,) = source
    assert source.feature_names == ["a", "b"]
    assert batch.rows[0].tolist() == [1, 2]
    options = {"modality": "features", "feature_names": ["b", "a"]}
    for content in ("a,label,b\n1,x,2\n", "label,b,a\nx,2,1\n", ",b,a,label\n0,2,1,x\n"):
        source = open_rows(write("a.csv", content), **options)
        (batch,) = source
        assert (source.feature_names, batch.rows[0].tolist()) == (["b", "a"], [2, 1])
    for content, message in (
        ("a,c,label\n1,2,x\n", r"a\.csv has other columns .* it lacks 'b' and it also holds 'c'"),
        ("a,b,c,label\n1,2,3,x\n", r"it also holds 'c'; rename, add or remove"),
        ("a,label\n1,x\n", r"it lacks 'b'; rename"),
    ):
        with pytest.raises(DataError, match=message):
            read(open_rows(write("a.csv", content), **options))
    path = write("a.jsonl", '{"features": [1, 2], "label": 0}\n')
    source = open_rows(path, **options)
    assert (next(iter(source)).rows[0].tolist(), source.feature_names) == ([1, 2], None)


def test_columns_that_number_rows_are_no_data(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"a": [1.5, 2], "b": [3, 4.5], "label": ["x", "y"]}, index=[7, 9])
    frame.to_csv(tmp_path / "once.csv")
    pandas.read_csv(tmp_path / "once.csv").to_csv(tmp_path / "twice.csv")
    pandas.read_csv(tmp_path / "twice.csv").to_csv(tmp_path / "thrice.tsv", sep="\t")
    frame.to_parquet(tmp_path / "a.parquet")
    frame.rename_axis("id").to_parquet(tmp_path / "named.parquet")
    for path in sorted(tmp_path.iterdir()):
        source = open_rows(path, modality="features")
        rows = read(source)[0]
        assert [row.tolist() for row in rows] == [[1.5, 3], [2, 4.5]], path
        assert source.feature_names == ["a", "b"]
        assert guess_modality(open_reader(path)) == "features"
    assert read(open_rows(tmp_path / "named.parquet", row_column="label", label_column="id"))[
        1
    ] == [7, 9]
    pandas.DataFrame({"review": ["a"], "label": [1]}, index=[5]).to_csv(tmp_path / "text.csv")
    assert read(open_rows(tmp_path / "text.csv"))[0] == ["a"]


def test_compressed_tables_say_how_to_unpack_them(tmp_path):
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(b"text,label\na,b\n"))
    with pytest.raises(DataError, match=r"rows\.csv\.gz is compressed; unpack it first \(gunzip\)"):
        open_reader(tmp_path / "rows.csv.gz")
