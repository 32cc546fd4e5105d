"""Several labels a row in files: cells, lists, columns of 0 and 1, and what is refused."""

import json

import numpy as np
import pytest

from faast.data import open_reader, open_rows
from faast.data.label_cells import guess_separator, parse_labels, parse_marks
from faast.data.reader import DataError

SETS = [{"red", "food"}, {"red"}, set(), {"blue", "red"}]


def read(source, **options):
    return [set(labels) for batch in open_rows(source, **options) for labels in batch.labels]


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_cells_lists_and_columns_give_the_same_labels(tmp_path):
    cells = write(tmp_path / "a.csv", "text,labels\na,red; food\nb,red\nc,\nd,blue;red\n")
    assert read(cells, label_separator=";") == SETS
    lines = [json.dumps({"text": "x", "labels": sorted(row)}) for row in SETS]
    assert read(write(tmp_path / "a.jsonl", "\n".join(lines))) == SETS
    rows = ["text,red,food,blue", "a,1,1,0", "b,1,0,0", "c,0,0,false", "d,1,0,1.0"]
    marked = write(tmp_path / "b.csv", "\n".join(rows))
    assert read(marked, marks=["red", "food", "blue"]) == SETS
    (batch,) = open_rows(marked, marks=["red", "food", "blue"])
    assert batch.rows == list("abcd")
    (batch,) = open_rows(marked, marks=["red", "food", "blue"], labelled=False)
    assert batch.labels is None


def test_parquet_and_datasets_give_names_for_lists_of_numbers(tmp_path):
    datasets = pytest.importorskip("datasets")
    names = datasets.Sequence(datasets.ClassLabel(names=["red", "food", "blue"]))
    features = datasets.Features({"text": datasets.Value("string"), "labels": names})
    rows = {"text": list("abcd"), "labels": [[0, 1], [0], [], [2, 0]]}
    dataset = datasets.Dataset.from_dict(rows, features=features)
    dataset.save_to_disk(tmp_path / "saved")
    dataset.to_parquet(tmp_path / "rows.parquet")
    for source in (tmp_path / "saved", tmp_path / "rows.parquet", dataset):
        assert read(source) == SETS


def test_an_array_of_marks_names_columns_by_their_number(tmp_path):
    marks = np.array([[1, 0, 1], [0, 0, 0]])
    np.savez(tmp_path / "rows.npz", features=np.eye(2), labels=marks)
    assert read(tmp_path / "rows.npz", modality="features") == [{0, 2}, set()]
    np.savez(tmp_path / "rows.npz", features=np.eye(2), labels=2 * marks)
    with pytest.raises(DataError, match="row 0: column 0 holds 2; a column of a label holds 1"):
        read(tmp_path / "rows.npz", modality="features")


@pytest.mark.parametrize(
    ("value", "separator", "message"),
    [
        ("a;;b", ";", "an empty one beside ';'; remove the separator"),
        ("a;b;", ";", "an empty one"),
        ("a; a", ";", "the label 'a' is there twice"),
        ([0, 1, 0], None, "the label 0 is there twice; .* write the names of the labels"),
        (["a", None], None, "the label is missing"),
        (None, ";", "the label is missing"),
        (["a", ["b"]], None, "must be a string or a number, got list"),
    ],
)
def test_what_is_no_set_of_labels_says_what_to_do(value, separator, message):
    with pytest.raises(ValueError, match=message):
        parse_labels(value, separator)


def test_a_mark_is_0_or_1():
    assert parse_marks({"a": "1", "b": "0.0", "c": True, "d": "FALSE"}) == {"a", "c"}
    for wrong in ("2", "", "yes", 0.5):
        with pytest.raises(ValueError, match="column 'b' holds"):
            parse_marks({"a": 1, "b": wrong})


def test_rows_are_all_lists_or_all_labels(tmp_path):
    mixed = write(
        tmp_path / "a.jsonl", '{"text": "a", "label": ["b"]}\n{"text": "c", "label": "d"}'
    )
    with pytest.raises(DataError, match=r"line 2: .* the first row has a list of labels; write a"):
        read(mixed)


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["red;food", "red", "food;blue", "blue"], ";"),
        (["red|food", "red", "food", ""], "|"),
        (["red;food", "green;sky", "a;b"], None),  # labels that hold a semicolon
        (["red", "food"], None),
        (["one, two", "one", "two"], None),
    ],
)
def test_a_separator_is_guessed_where_it_is_plain(tmp_path, cells, found):
    table = write(tmp_path / "a.csv", "text,label\n" + "".join(f'x,"{cell}"\n' for cell in cells))
    assert guess_separator(open_reader(table), "label") == found
    assert guess_separator(open_reader(table), "absent") is None
