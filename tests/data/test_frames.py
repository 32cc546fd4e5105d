"""Tables in memory are read as files of the same rows are."""

import numpy as np
import pandas as pd
import pytest

from faast.data import DataError, open_rows

ROWS = [{"text": "a card", "label": "card"}, {"text": "a coin", "label": "coin"}]


def read(source, **options):
    rows, labels = [], []
    for batch in open_rows(source, **options):
        rows += batch.rows
        labels += batch.labels or []
    return rows, labels


@pytest.mark.parametrize(
    "source",
    [ROWS, pd.DataFrame(ROWS), pd.DataFrame(ROWS, index=["text", "label"])],
    ids=["list", "pandas", "pandas with an index"],
)
def test_texts_and_labels_are_read(source):
    assert read(source) == (["a card", "a coin"], ["card", "coin"])
    assert read(source, label_column="label", row_column="text")[1] == ["card", "coin"]
    assert read(source, labelled=False) == (["a card", "a coin"], [])
    with pytest.raises(DataError, match=r"^the .* has no column 'body'"):
        read(source, row_column="body")


def test_polars_frames_are_read():
    polars = pytest.importorskip("polars")
    assert read(polars.DataFrame(ROWS)) == (["a card", "a coin"], ["card", "coin"])


def test_columns_of_numbers_keep_their_names():
    frame = pd.DataFrame(
        {"height": [1.0, 2.0], "label": pd.Categorical(["a", "b"]), "width": [3, 4]}
    )
    source = open_rows(frame, modality="features")
    (batch,) = source
    assert source.feature_names == ["height", "width"]
    assert np.array_equal(batch.rows, [[1, 3], [2, 4]])
    assert batch.labels == ["a", "b"]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
def test_missing_values_are_named_by_row(missing):
    frame = pd.DataFrame({"text": ["a", "b"], "label": pd.Series(["x", missing], dtype=object)})
    with pytest.raises(DataError, match="row 1: the label is missing"):
        read(frame)
    source = open_rows(frame, on_error="skip")
    assert [batch.labels for batch in source] == [["x"]]
    assert source.skipped == 1


def test_a_row_that_is_no_dictionary_is_named():
    with pytest.raises(DataError, match="the list of rows, row 2: expected a dictionary, got str"):
        read([*ROWS, "a card"])
    assert read([*ROWS, "a card"], on_error="skip")[1] == ["card", "coin"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([], "holds no rows|columns"),
        (pd.DataFrame({"text": [], "label": []}), "holds no rows"),
        (pd.DataFrame([["a", "b"]]), r"not named by strings but \[0, 1\]"),
        (
            pd.DataFrame([["a", "b", "c"]], columns=["text", "label", "text"]),
            "'text' is there twice",
        ),
        (7, "dataset|int"),
    ],
)
def test_what_is_no_table_is_refused(source, message):
    with pytest.raises((DataError, TypeError), match=message):
        read(source)


def test_a_split_belongs_to_datasets():
    with pytest.raises(DataError, match="split"):
        open_rows(ROWS, split="train")
