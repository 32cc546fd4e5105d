"""Partitions are cut by the place of rows alone."""

from pathlib import Path

import pytest

from faast.data import Batch, open_rows
from faast.distributed.partitions import FileRows, split_batches


def text_rows(*files):
    return FileRows([open_rows(file) for file in files])


def test_files_follow_each_other_each_in_windows_of_its_own(file):
    sizes = [len(batch.rows) for batch in text_rows(file, file)]
    assert sizes == [*[1024] * 5, 880] * 2


def test_partitions_hold_whole_windows_in_order(file):
    partitions = list(text_rows(file, file).split(5 * 1024))
    assert [partition.index for partition in partitions] == [0, 1, 2]
    sizes = [[len(batch.rows) for batch in partition.batches] for partition in partitions]
    assert sizes == [[1024] * 5, [880, *[1024] * 4], [1024, 880]]


def test_partitions_that_would_split_a_window_are_refused_before_a_row_is_read(file):
    for refused in (1000, 0, -1024):
        with pytest.raises(ValueError, match="partition_rows must be a multiple of 1024"):
            split_batches([], refused)


def test_paths_are_absolute_as_workers_may_run_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    batch = Batch([Path("cat.png")], ["cat"], [1])
    (partition,) = split_batches([batch], 1024)
    assert [found.rows for found in partition.batches] == [[tmp_path / "cat.png"]]


def test_a_description_changes_with_the_file_and_with_how_it_is_read(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("text,label\na,b\n")
    before = text_rows(file).describe()
    assert before == text_rows(file).describe()
    assert FileRows([open_rows(file, on_error="skip")]).describe() != before
    file.write_text("text,label\na,b\nc,d\n")
    assert text_rows(file).describe() != before


def test_rows_that_cannot_be_read_again_have_no_description():
    with pytest.raises(ValueError, match=r"is not a file.*leave out resume"):
        text_rows("-").describe()
