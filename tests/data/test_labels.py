"""One rule of what a label read from a file is, whatever the format."""

import json
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faast.data import DataError, open_rows
from faast.data.labels import find_look_alikes, match_labels, parse_label
from tests.data.rows import read


@pytest.mark.parametrize(
    ("values", "label"),
    [
        ((1, 1.0, "1", "1.0", " 1 ", "1.000", np.int8(1), np.float32(1), Decimal("1.0")), 1),
        ((0, -0.0, "0", "0.0", "-0.0"), 0),
        ((True, "true", "True", "TRUE", " true", np.True_), True),
        ((False, "false", "False", "FALSE"), False),
        (("cat", " cat", "cat\t", "cat\u00a0"), "cat"),
        (("caf\u00e9", "cafe\u0301"), "caf\u00e9"),
        (("007",), "007"),
        (("1.10",), "1.10"),
        (("1e3",), "1e3"),
        (("yes",), "yes"),
        ((2**63, float(2**63), str(2**63)), str(2**63)),
        ((-(2**63), str(-(2**63))), -(2**63)),
        ((10**400, "1" + "0" * 400), "1" + "0" * 400),
    ],
)
def test_spellings_of_one_label(values, label):
    for value in values:
        found = parse_label(value)
        assert (found, type(found)) == (label, type(label)), value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "missing"),
        (float("nan"), "missing"),
        ("  ", "missing"),
        (float("inf"), "finite"),
        (Decimal("inf"), "finite"),
        ("x" * 1001, "1,001 characters, more than 1,000"),
        ("a\0b", "NUL"),
        ([1], "must be a string or a number, got list"),
        (b"x", "must be a string or a number, got bytes"),
    ],
)
def test_what_is_no_label(value, message):
    with pytest.raises(ValueError, match=message):
        parse_label(value)


@given(st.one_of(st.booleans(), st.integers(), st.text(max_size=8), st.floats(allow_nan=False)))
def test_reading_a_label_that_was_written_gives_the_label(value):
    try:
        label = parse_label(value)
    except ValueError:
        return
    assert parse_label(label) == label
    if not isinstance(label, float):
        assert parse_label(str(label)) == label
        assert parse_label(json.loads(json.dumps(label))) == label


def test_labels_name_the_classes_of_a_model_however_it_was_learned():
    assert match_labels([1, True, "x"], ["1", "True", "y"]) == ["1", "True", "x"]
    assert match_labels([3], ["1", "2"]) == ["3"]
    assert match_labels([1, 3, "x"], [1, 2]) == [1, 3, "x"]
    assert match_labels([1], [" 1", ("a", 1)]) == [" 1"]
    assert match_labels(["1"], [1, "one"]) == [1]


def test_one_label_of_all_formats(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    texts = ["a", "b", "c"]
    frames = {
        "whole": ([1, 0, 1], [1, 0, 1]),
        "floats": ([1.0, 0.0, 1.0], [1, 0, 1]),
        "texts": (["1", "0", "1"], [1, 0, 1]),
        "truth": ([True, False, True], [True, False, True]),
        "truth in text": (["True", "False", "true"], [True, False, True]),
        "mixed": (["1", "0", " many "], [1, 0, "many"]),
    }
    for name, (labels, right) in frames.items():
        frame = pandas.DataFrame({"text": texts, "label": labels})
        frame.to_csv(tmp_path / "a.csv", index=False)
        frame.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
        frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
        frame.to_parquet(tmp_path / "a.parquet", index=False)
        np.savez(tmp_path / "a.npz", features=np.eye(3), label=np.array(labels))
        for suffix in ("csv", "tsv", "jsonl", "parquet", "npz"):
            modality = "features" if suffix == "npz" else "text"
            found = read(open_rows(tmp_path / f"a.{suffix}", modality=modality))[1]
            assert [(type(a), a) for a in found] == [(type(a), a) for a in right], (name, suffix)


def test_names_of_classes_in_datasets_and_in_their_parquet_files(tmp_path):
    library = pytest.importorskip("datasets")
    label = library.ClassLabel(names=["neg", "pos"])
    features = library.Features({"text": library.Value("string"), "label": label})
    data = library.Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}, features)
    data.to_parquet(tmp_path / "a.parquet")
    data.save_to_disk(tmp_path / "a")
    for source in (data, tmp_path / "a.parquet", tmp_path / "a"):
        assert read(open_rows(source))[1] == ["pos", "neg"]


def test_numbers_and_truth_values_of_one_file_are_not_mixed(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na,1\nb,true\n")
    with pytest.raises(DataError, match=r"line 3: the label 'true' is true or false, an earlier"):
        read(open_rows(tmp_path / "a.csv"))


@pytest.mark.parametrize(
    ("labels", "groups"),
    [
        (["card", "top"], []),
        (["Card", "card "], [["Card", "card "]]),
        (["top_up", "top up", "top-up", "top  Up"], [["top_up", "top up", "top-up", "top  Up"]]),
        (["caf\u00e9", "cafe\u0301", "cafe"], [["caf\u00e9", "cafe\u0301"]]),
        (["\uff41b", "ab", "a\u200bb"], [["\uff41b", "ab", "a\u200bb"]]),
        ([1, "1", "1.0", "01", -1, "- 1"], [[1, "1", "1.0"]]),
        ([True, "true", "yes"], [[True, "true"]]),
        ([("a", "B"), ("A", "b"), ("a",)], [[("a", "B"), ("A", "b")]]),
        (["c++", "c", "c#", "-", "_"], []),
    ],
)
def test_labels_that_differ_only_in_form_are_found(labels, groups):
    assert find_look_alikes(labels) == groups
