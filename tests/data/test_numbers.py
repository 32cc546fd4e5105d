"""Numbers to predict, read from every format of tables, and refused by line."""

import json
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faast.data import DataError, guess_modality, open_reader, open_rows
from faast.data.numbers import parse_number

ROWS = [("one room", 500.5, 1), ("two rooms", -3.0, 2), ("a shed", 1e6, 0)]


def write(path, rows=ROWS):
    if path.suffix == ".jsonl":
        lines = [json.dumps({"text": t, "price": p, "stars": s}) for t, p, s in rows]
    else:
        comma = "\t" if path.suffix == ".tsv" else ","
        lines = [comma.join(map(str, row)) for row in [("text", "price", "stars"), *rows]]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_table_gives_the_same_numbers(tmp_path, suffix):
    path = tmp_path / f"flats{suffix}"
    if suffix == ".parquet":
        pandas = pytest.importorskip("pandas")
        pytest.importorskip("pyarrow")
        pandas.DataFrame(ROWS, columns=["text", "price", "stars"]).to_parquet(path)
    else:
        write(path)
    (one,) = open_rows(path, target_columns=["price"], row_column="text")
    assert one.labels == [500.5, -3.0, 1e6]
    (two,) = open_rows(path, target_columns=["stars", "price"])
    assert two.labels == [(1.0, 500.5), (2.0, -3.0), (0.0, 1e6)]
    assert two.rows == [text for text, _, _ in ROWS]
    (asked,) = open_rows(path, target_columns=["stars", "price"], labelled=False)
    assert asked.labels is None
    assert guess_modality(open_reader(path), target_columns=["stars", "price"]) == "text"


def test_datasets_and_arrays_hold_numbers_too(tmp_path):
    np.savez(tmp_path / "a.npz", features=np.eye(3), price=np.arange(3) / 2)
    (batch,) = open_rows(tmp_path / "a.npz", modality="features", target_columns=["price"])
    assert batch.labels == [0.0, 0.5, 1.0]
    datasets = pytest.importorskip("datasets")
    names = datasets.Features(
        {"text": datasets.Value("string"), "price": datasets.Value("float64")}
    )
    table = datasets.Dataset.from_dict({"text": ["a", "b"], "price": [1.5, 2.5]}, features=names)
    (batch,) = open_rows(table, target_columns=["price"])
    assert batch.labels == [1.5, 2.5]


def test_columns_beside_the_targets_are_features(tmp_path):
    (tmp_path / "t.csv").write_text("area,label,price\n30,1,500\n60,2,900\n")
    assert guess_modality(open_reader(tmp_path / "t.csv"), target_columns=["price"]) == "features"
    source = open_rows(tmp_path / "t.csv", modality="features", target_columns=["price"])
    (batch,) = source
    assert source.feature_names == ["area", "label"]
    assert batch.labels == [500.0, 900.0]


def test_a_folder_of_images_has_its_numbers_in_a_manifest(tmp_path, images):
    pil = pytest.importorskip("PIL.Image")
    for place, image in enumerate(images):
        pil.fromarray(image).save(tmp_path / f"{place}.png")
    with pytest.raises(DataError, match=r"holds no numbers; name its images .*metadata.csv"):
        list(open_rows(tmp_path, modality="image", target_columns=["age"]))
    lines = [f"{place}.png,{place * 10}" for place in range(len(images))]
    (tmp_path / "metadata.csv").write_text("\n".join(["file_name,age", *lines]))
    (batch,) = open_rows(tmp_path, modality="image", target_columns=["age"])
    assert batch.labels == [0.0, 10.0, 20.0, 30.0, 40.0]
    assert batch.rows[1] == tmp_path / "1.png"


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("abc", "flats.csv, line 3: price is 'abc'; expected a number such as 12.5"),
        ('"1,200"', "price is '1,200'; expected a number"),
        ("1_000", "price is '1_000'; expected a number"),
        ("12 €", "price is '12 €'; expected a number"),
        ("0x10", "price is '0x10'; expected a number"),
        ("true", "price is 'true'; expected a number"),
        ("", "line 3: price is missing; fill it in or leave the row out"),
        ("nan", "price is 'nan'; expected a finite number"),
        ("-inf", "price is '-inf'; expected a finite number"),
        ("1e999", "price is '1e999'; expected a finite number"),
        ("x" * 99, r"price is 'x{39}…; expected"),
    ],
)
def test_what_is_no_number_is_named_by_line(tmp_path, cell, message):
    path = tmp_path / "flats.csv"
    path.write_text(f"text,price\nfine,1\nodd,{cell}\nfine,2\n")
    with pytest.raises(DataError, match=message):
        list(open_rows(path, target_columns=["price"]))
    source = open_rows(path, target_columns=["price"], on_error="skip")
    (batch,) = source
    assert batch.labels == [1.0, 2.0]
    assert source.skipped == 1


@pytest.mark.parametrize("value", [True, None, [1.0], {"a": 1}, b"1", float("nan"), 10**400, ""])
def test_values_of_typed_files_that_are_no_numbers_are_refused(value):
    with pytest.raises(ValueError, match="price is"):
        parse_number(value, "price")


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60))
def test_numbers_are_read_as_they_are_written(number):
    forms = [number, str(number), f" {number} ", np.float64(number)]
    assert {parse_number(form, "price") for form in forms} == {float(number)}
    assert parse_number(Decimal("12.50"), "price") == 12.5


def test_columns_that_are_missing_or_named_twice_are_refused(tmp_path):
    path = write(tmp_path / "flats.csv")
    for targets, row, message in (
        (["cost"], None, "has no column 'cost'; its columns are text, price, stars .*--target"),
        (["price", "price"], None, "column 'price' cannot hold both things that it is named for"),
        (["price"], "price", "column 'price' cannot hold both"),
    ):
        with pytest.raises(DataError, match=message):
            list(open_rows(path, target_columns=targets, row_column=row))
