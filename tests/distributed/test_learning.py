"""Learning on a local Ray gives the file of one process, whatever happens to the workers."""

import os
import shutil
import time

import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

from faast import FaastClassifier, TextClassifier
from faast.cli.main import app
from faast.data import open_rows
from faast.distributed import learn_dataset
from faast.distributed.checkpoint import SavedPartials
from faast.distributed.partitions import Files, Part, cut
from faast.distributed.run import learn_parts
from faast.distributed.session import session
from tests.distributed.conftest import write_rows

PART_ROWS = 1024


def test_the_file_is_that_of_one_process(ray, file, encoder, alone, content):
    model = learn_dataset(file, encoder, workers=2, part_rows=PART_ROWS)
    assert content(model) == content(alone)


def test_a_worker_that_is_killed_changes_nothing(ray, file, encoder, alone, content):
    killed = []

    def parts():
        for part in cut(open_rows(file), PART_ROWS):
            if part.index == 5:  # two workers hold four, so that one is done
                killed.append(kill_a_worker())
            yield part

    model = TextClassifier(encoder)
    learn_parts(ray, model, parts(), workers=2)
    assert killed
    assert content(model) == content(alone)


def kill_a_worker():
    """Kill one process that learns, among those that this one has started."""
    given_up = time.monotonic() + 30
    while time.monotonic() < given_up:
        for process in psutil.Process().children(recursive=True):
            if process.cmdline() and process.cmdline()[0].startswith("ray::Worker"):
                os.kill(process.pid, 9)
                return process.pid
        time.sleep(0.1)
    raise AssertionError("no worker runs")


def test_a_dataset_is_cut_by_row_not_by_file(ray, table, encoder, alone, content, tmp_path):
    (tmp_path / "rows").mkdir()
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    whole = arrow.table(dict(zip(("text", "label"), table, strict=True)))
    for number, (start, stop) in enumerate([(0, 100), (100, 3000), (3000, 6000)]):
        parquet.write_table(
            whole.slice(start, stop - start), tmp_path / "rows" / f"{number}.parquet"
        )
    dataset = ray.data.read_parquet(str(tmp_path / "rows"))
    options = {"workers": 1, "part_rows": 2 * PART_ROWS, "resume": tmp_path / "saved"}
    model = learn_dataset(dataset, encoder, **options)
    assert content(model) == content(alone)


def test_workers_that_are_lost_for_good_are_reported(ray):
    with pytest.raises(ChildProcessError, match="Ray lost workers for good"), session():
        raise ray.exceptions.ActorDiedError


def test_a_run_that_was_stopped_goes_on(ray, file, encoder, alone, content, tmp_path):
    folder = tmp_path / "saved"
    source = open_rows(file)

    def until(stop):
        for part in cut(source, PART_ROWS):
            if part.index == stop:
                raise InterruptedError
            yield part

    def beyond(start):
        """Parts whose rows cannot be read before a certain one."""
        for part in cut(source, PART_ROWS):
            yield part if part.index >= start else Part(part.index, [])

    with pytest.raises(InterruptedError):
        learn_parts(
            ray, TextClassifier(encoder), until(4), 1, SavedPartials.open(folder, {"run": 1})
        )
    assert SavedPartials.open(folder, {"run": 1}).widest(0)
    model = TextClassifier(encoder)
    learn_parts(ray, model, beyond(2), 1, SavedPartials.open(folder, {"run": 1}))
    assert content(model) == content(alone)
    assert [path.suffix for path in folder.glob("*.partial")] == [".partial"]
    with pytest.raises(ValueError, match=r"another run has learned \(run was 1, now it is 2\)"):
        SavedPartials.open(folder, {"run": 2})
    shutil.rmtree(folder)


def test_features_of_any_size_take_the_grid_of_the_first_rows(ray, tmp_path, content, rng):
    rows = rng.standard_normal((3000, 6)) * [1, 10, 100, 1, 1, 1]
    rows[2000:] *= 3
    labels = rng.integers(0, 3, 3000)
    alone = FaastClassifier().fit(rows, labels)
    np.savez(tmp_path / "rows.npz", features=rows, label=labels)
    model = learn_dataset(tmp_path / "rows.npz", workers=1, part_rows=PART_ROWS)
    assert content(model) == content(alone)


def test_files_follow_each_other_each_in_windows_of_its_own(file):
    sizes = [len(batch.rows) for batch in Files([file, file], "text", None, "label")]
    assert sizes == [*[1024] * 5, 880] * 2


def test_a_row_that_cannot_be_learned_is_named(ray, table, encoder):
    rows = [{"text": text, "label": label} for text, label in zip(*table, strict=True)]
    rows[3000]["text"] = ""
    with pytest.raises(ValueError, match=r"row 3000: the text is empty"):
        learn_dataset(ray.data.from_items(rows), encoder, workers=1, part_rows=PART_ROWS)


def test_parts_are_whole_windows(file):
    with pytest.raises(ValueError, match="part_rows must be a multiple of 1024"):
        list(cut(open_rows(file), 1000))


def test_the_command_writes_the_file_of_one_process(ray, tmp_path, monkeypatch, table):
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "rows.csv", table, every=20)
    for options in ([], ["--ray", "local", "--resume", "saved"]):
        command = ["learn", "rows.csv", "-o", f"model{len(options)}", *options]
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.stderr
    assert (tmp_path / "model0").read_bytes() == (tmp_path / "model4").read_bytes()
    refused = CliRunner().invoke(app, ["learn", "rows.csv", "-o", "x", "--resume", "saved"])
    assert "say where they are with --ray" in refused.stderr
