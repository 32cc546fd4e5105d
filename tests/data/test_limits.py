"""Memory and time are bounded by the bytes that are there and by stated limits."""

import io
import json
import tracemalloc
import zipfile

import numpy as np
import pytest

from faast.data import DataError, open_rows
from tests.data.rows import read


def write_npz(path, shape, content=b"", dtype="<f8"):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("features.npy", header.getvalue() + content)
        label = io.BytesIO()
        np.save(label, np.zeros(2, np.int64))
        archive.writestr("label.npy", label.getvalue())
    return path


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        ((10**15, 0), "<f8", "rows without entries"),
        ((2, -1), "<f8", "rows without entries"),
        ((2, 3), "|S0", "rows without entries"),
        ((2, 10**12), "<f8", "rows of 8,000,000,000,000 bytes, more than 524,288"),
        ((10**9, 4), "<f8", "shorter or longer than its header says"),
    ],
)
def test_shapes_of_npz_are_checked_against_the_bytes(tmp_path, shape, dtype, message):
    path = write_npz(tmp_path / "a.npz", shape, b"\0" * 64, dtype)
    for columns in ({}, {"label_column": None}):
        with pytest.raises(DataError, match=message):
            read(open_rows(path, modality="features", on_error="skip", **columns))


def test_lines_without_end(tmp_path):
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.write(b"text,label\n")
        file.truncate(1 << 27)
    for format in ("csv", "tsv", "jsonl", "lines"):
        source = open_rows(path, format=format, label_column=None, on_error="skip")
        tracemalloc.start()
        with pytest.raises(DataError, match="more than 16,777,216 characters without a line end"):
            read(source)
        assert tracemalloc.get_traced_memory()[1] < 1 << 27
        tracemalloc.stop()


def test_long_labels_and_numbers_are_bad_rows(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [
        {"features": [1], "label": "x" * 100_000},
        {"features": [10**400], "label": 0},
        {"features": [1], "label": 0},
        {"features": [0.5] * 65_537, "label": 0},
    ]
    deep = '{"features": ' + "[" * 1200 + "1" + "]" * 1200 + ', "label": 0}'
    path.write_text("\n".join([*map(json.dumps, rows), deep]))
    source = open_rows(path, modality="features", on_error="skip")
    assert read(source)[2] == [3]
    assert source.skipped == 4


def test_small_parquet_that_expands(tmp_path, monkeypatch):
    arrow = pytest.importorskip("pyarrow")
    table = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    columns = {"text": ["x" * 1_000_000] * 2000, "label": [1] * 2000}
    table.write_table(arrow.table(columns), path, compression="zstd")
    assert path.stat().st_size < 100_000
    monkeypatch.setattr("faast.data.source.MAX_WINDOW_BYTES", 1 << 26)
    with pytest.raises(DataError, match=r"row 68: 68 rows .* more than 67,108,864 bytes"):
        read(open_rows(path))
    monkeypatch.setattr("faast.data.parquet.MAX_CHUNK_BYTES", 1 << 19)
    with pytest.raises(DataError, match=r"'text' unpacks from .* bytes to 1,"):
        read(open_rows(path))
