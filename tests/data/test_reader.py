"""What readers say about themselves."""

import pytest

from faast.data import open_reader
from faast.data.reader import Reader, Record, RowError


@pytest.mark.parametrize(
    ("name", "unit", "modality", "typed"),
    [
        ("a.csv", "line", None, False),
        ("a.tsv", "line", None, False),
        ("a.jsonl", "line", None, True),
        ("a.txt", "line", None, True),
        ("a.parquet", "row", None, True),
        ("a.npz", "row", None, True),
        ("", "image", "image", True),
    ],
)
def test_every_format(name, unit, modality, typed, tmp_path):
    if name:
        (tmp_path / name).touch()
    reader = open_reader(tmp_path / name)
    assert isinstance(reader, Reader)
    assert reader.name == str(tmp_path / name)
    assert (reader.unit, reader.modality, reader.typed) == (unit, modality, typed)
    assert reader.fraction is None


def test_good_rows_and_bad_ones_come_in_their_order(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na,x\nb\nc,y\n")
    found = list(open_reader(tmp_path / "a.csv").records(lambda columns: columns))
    assert [type(record) for record in found] == [Record, RowError, Record]
    assert [record.number for record in found] == [2, 3, 4]
    assert found[0].fields == {"text": "a", "label": "x"}
