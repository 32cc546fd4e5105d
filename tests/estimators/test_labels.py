"""Labels are taken as they are, and refused where they are no classes."""

from enum import Enum, IntEnum

import numpy as np
import pytest

import faast
from faast import FaastClassifier
from faast.estimators.labels import as_labels


def test_one_row_of_each_of_many_classes_is_nothing_to_warn_of(rng):
    labels = [f"class {i}" for i in range(60)]
    assert FaastClassifier().fit(rng.standard_normal((60, 8)), labels).classes_.shape == (60,)


def test_numbers_that_are_no_classes_are_refused_by_row():
    with pytest.raises(ValueError, match=r"continuous \(label of row 1 is 0\.5\)"):
        as_labels(np.array([1.0, 0.5]))


class Team(str, Enum):  # noqa: UP042, as people write it
    BILLING = "billing"
    RETURNS = "returns"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Name(str):
    __slots__ = ()


SAME = {
    "text enum": ([Team.BILLING, Team.RETURNS], ["billing", "returns"]),
    "integer enum": ([Level.LOW, Level.HIGH], [1, 2]),
    "subclass of str": ([Name("a"), Name("b")], ["a", "b"]),
    "numpy texts": (list(np.array(["a", "b"])), ["a", "b"]),
    "whole floats": (np.array([1.0, 2.0]), [1, 2]),
    "numpy floats beside text": ([*np.array([1.0]), "b"], [1, "b"]),
    "numpy truth values": ([np.True_, np.False_], [True, False]),
    "long doubles": (np.array([1, 2], dtype=np.longdouble), [1, 2]),
    "unsigned": (np.array([1, 2], dtype=np.uint64), [1, 2]),
    "StringDType": (np.array(["a", "b"], dtype=np.dtypes.StringDType()), ["a", "b"]),
    "a column": (np.array([["a"], ["b"]]), ["a", "b"]),
    "tuples": ([("a", 1), ("b", np.int64(2))], [("a", 1), ("b", 2)]),
}


@pytest.mark.filterwarnings("ignore:A column-vector y:sklearn.exceptions.DataConversionWarning")
@pytest.mark.parametrize("name", SAME)
def test_labels_of_one_meaning_are_one_class(name, tmp_path):
    given, plain = SAME[name]
    model = FaastClassifier().fit(np.eye(2), given).partial_fit(np.eye(2) / 2, plain)
    assert sorted(model.classes_.tolist(), key=str) == sorted(plain, key=str)
    assert [type(label) for label in as_labels(given).tolist()] == [type(label) for label in plain]
    model.save(tmp_path / "model")
    loaded = faast.load(tmp_path / "model")
    assert loaded.classes_.tolist() == model.classes_.tolist()
    assert loaded.classes_.dtype == model.classes_.dtype


def test_numbers_beyond_64_bits_stay_apart(tmp_path):
    labels = [1, 2**63 + 1, 2**63 + 2]
    model = FaastClassifier().fit(np.eye(3), labels)
    model.save(tmp_path / "model")
    assert faast.load(tmp_path / "model").classes_.tolist() == labels
    model.partial_fit(np.eye(3), np.array([5, 6, 7], dtype=np.uint64))
    assert model.classes_.tolist() == [1, 5, 6, 7, *labels[1:]]


def missing_labels():
    pandas = pytest.importorskip("pandas")
    values = ["a", "b", None]
    masked = np.ma.masked_array([1, 2, 1], mask=[False, False, True])
    missing = np.array(["a", "b", np.nan], dtype=np.dtypes.StringDType(na_object=np.nan))
    series = [pandas.Series(values, dtype=kind) for kind in ("string", "str", "category", object)]
    numbers = [pandas.Series([1, 2, None], dtype=kind) for kind in ("Int64", "float64")]
    return [values, masked, missing, *series, *(s.tolist() for s in series), *numbers]


def test_missing_labels_are_refused_by_row():
    for labels in missing_labels():
        with pytest.raises(ValueError, match=r"label of row 2 is (missing|masked)"):
            FaastClassifier().fit(np.eye(3), labels)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", b"b"], "row 1 is b'b' of type bytes"),
        (["a", 1j], "row 1 is 1j of type complex"),
        (["a", "b\0"], "row 1 holds a NUL character"),
        (np.array(["a", "b\0c"]), "row 1 holds a NUL character"),
        ([object(), "b"], "row 0 is <object"),
    ],
)
def test_what_cannot_be_a_label_is_refused_by_row(labels, message):
    with pytest.raises(ValueError, match=message):
        FaastClassifier().fit(np.eye(2), labels)


@pytest.mark.parametrize("kind", [list, np.asarray], ids=["list", "array"])
def test_a_text_among_the_labels_is_refused_before_every_row_has_room_for_it(kind):
    labels = ["a", "b", "x" * 20_000, "a"]
    with pytest.raises(ValueError, match="label of row 2 has 20,000 characters, more than 1,000"):
        as_labels(kind(labels))
    assert as_labels(kind(["a", "x" * 1000])).tolist() == ["a", "x" * 1000]


@pytest.mark.parametrize("y", [["a", 1.5, 2.5], [["a"], [1.5], []]])
def test_fractions_among_texts_are_no_classes_either(y):
    with pytest.raises(ValueError, match=r"continuous \(label of row 1 is 1\.5\)"):
        FaastClassifier().fit(np.eye(3), y)


@pytest.mark.parametrize("unit", ["ns", "D"])
@pytest.mark.parametrize("kind", ["datetime64", "timedelta64"])
@pytest.mark.parametrize("form", [np.asarray, list, lambda dates: np.array([*dates, "a"], object)])
def test_dates_are_no_classes_whatever_their_unit(unit, kind, form):
    labels = form(np.arange(3).astype(f"{kind}[{unit}]"))
    with pytest.raises(ValueError, match=f"label of row 0 is .* of type {kind}; a label must be"):
        as_labels(labels)
