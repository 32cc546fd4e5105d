"""Learning on a local Ray gives the file of one process, whatever happens to the workers."""

import os
import shutil
import time

import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

from faast import FaastClassifier, TextClassifier
from faast.data import open_rows
from faast.distributed import FileRows, learn_dataset, learn_rows
from faast.distributed.checkpoint import Checkpoint
from faast.distributed.failures import unwrap_errors
from faast.distributed.partitions import Partition, split_batches
from faast.distributed.run import describe_run, learn_partitions
from faast.encoders import load_encoder
from faast.estimators.memory import SELECTION_ROWS
from tests.distributed.conftest import write_rows

PARTITION_ROWS = 1024


def test_the_file_is_that_of_one_process(ray, file, encoder, alone, content):
    model = learn_dataset(file, encoder, workers=2, partition_rows=PARTITION_ROWS)
    assert content(model) == content(alone)


def test_a_worker_that_is_killed_changes_nothing(ray, file, encoder, alone, content):
    killed = []

    def partitions():
        for partition in split_batches(open_rows(file), PARTITION_ROWS):
            if partition.index == 5:  # two workers hold four, so that one is done
                killed.append(kill_a_worker())
            yield partition

    model = TextClassifier(encoder)
    learn_partitions(ray, model, partitions(), n_workers=2)
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
    options = {"workers": 1, "partition_rows": 2 * PARTITION_ROWS, "resume": tmp_path / "saved"}
    model = learn_dataset(dataset, encoder, **options)
    assert content(model) == content(alone)


def test_workers_that_are_lost_for_good_are_reported(ray):
    with pytest.raises(ChildProcessError, match="Ray lost workers for good"), unwrap_errors(ray):
        raise ray.exceptions.ActorDiedError


def test_a_run_that_was_stopped_goes_on(ray, file, encoder, alone, content, tmp_path):
    folder = tmp_path / "saved"
    source = open_rows(file)

    def until(stop):
        for partition in split_batches(source, PARTITION_ROWS):
            if partition.index == stop:
                raise InterruptedError
            yield partition

    def beyond(start):
        """Partitions whose rows cannot be read before a certain one."""
        for partition in split_batches(source, PARTITION_ROWS):
            yield partition if partition.index >= start else Partition(partition.index, [])

    with pytest.raises(InterruptedError):
        learn_partitions(
            ray, TextClassifier(encoder), until(4), 1, Checkpoint.open(folder, {"run": 1})
        )
    assert Checkpoint.open(folder, {"run": 1}).find_widest(0)
    model = TextClassifier(encoder)
    learn_partitions(ray, model, beyond(2), 1, Checkpoint.open(folder, {"run": 1}))
    assert content(model) == content(alone)
    assert [path.suffix for path in folder.glob("*.partial")] == [".partial"]
    with pytest.raises(ValueError, match=r"another run has learned \(run was 1, now it is 2\)"):
        Checkpoint.open(folder, {"run": 2})
    shutil.rmtree(folder)


def test_features_of_any_size_take_the_grid_of_the_first_rows(ray, tmp_path, content, rng):
    rows = rng.standard_normal((3000, 6)) * [1, 10, 100, 1, 1, 1]
    rows[2000:] *= 3
    labels = rng.integers(0, 3, 3000)
    alone = FaastClassifier().fit(rows, labels)
    np.savez(tmp_path / "rows.npz", features=rows, label=labels)
    model = learn_dataset(tmp_path / "rows.npz", workers=1, partition_rows=PARTITION_ROWS)
    assert content(model) == content(alone)


def test_parameters_of_the_model_decide_what_is_learned(ray, tmp_path, content, rng):
    rows, labels = rng.standard_normal((3000, 6)), rng.integers(0, 3, 3000)
    np.savez(tmp_path / "rows.npz", features=rows, label=labels)
    settings = {"class_weight": {0: 2.0}, "selection_rows": 50, "key_scale": 8.0}
    embeddings = {0: np.ones(6), 7: -np.ones(6)}
    source = FileRows([open_rows(tmp_path / "rows.npz", modality="features")])
    model = FaastClassifier(**settings, class_embeddings=embeddings)
    learn_rows(model, source, workers=1, partition_rows=PARTITION_ROWS)
    alone = FaastClassifier(**settings, class_embeddings=embeddings).fit(rows, labels)
    assert model.classes_.tolist() == [0, 1, 2, 7]
    assert content(model) == content(alone)


def test_declared_labels_stay_classes_beside_those_of_the_rows(ray, bert, tmp_path):
    texts, labels = ["the card is lost", "a top up failed"], ["card", "top up"]
    write_rows(tmp_path / "rows.csv", (texts, labels))
    encoder = load_encoder(f"hf:{bert}")
    model = TextClassifier(encoder, labels=["transfer"])
    learn_rows(model, FileRows([open_rows(tmp_path / "rows.csv")]), workers=1)
    alone = TextClassifier(encoder, labels=["transfer"]).fit(texts, labels)
    assert model.classes_.tolist() == ["card", "top up", "transfer"]
    np.testing.assert_allclose(
        model.predict_proba(texts), alone.predict_proba(texts), rtol=1e-5
    )  # workers compute with one thread, which may change the last bits


def test_features_have_no_class_names(ray, tmp_path):
    np.savez(tmp_path / "rows.npz", features=np.eye(4), label=["a", "b", "a", "b"])
    with pytest.raises(ValueError, match="class_names=True needs an encoder"):
        learn_dataset(tmp_path / "rows.npz", class_names=True, workers=1)


def test_a_model_that_has_learned_rows_is_refused(unit_rows, file):
    rows, onehot = unit_rows
    model = FaastClassifier().fit(rows, onehot.argmax(axis=1))
    with pytest.raises(ValueError, match="has learned 60 rows already; let a new model learn"):
        learn_rows(model, FileRows([open_rows(file)]))
    with pytest.raises(ValueError, match="compacted"):
        learn_rows(model.compact(), FileRows([open_rows(file)]))


def test_runs_differ_by_what_decides_their_statistics(encoder):
    run = describe_run(TextClassifier(encoder), PARTITION_ROWS, [])
    assert run == describe_run(TextClassifier(encoder, novelty=True), PARTITION_ROWS, [])
    counted = TextClassifier(encoder, selection_rows=np.int64(SELECTION_ROWS))
    assert run == describe_run(counted, PARTITION_ROWS, [])
    others = [
        describe_run(TextClassifier(load_encoder("hashing", n_features=25)), PARTITION_ROWS, []),
        describe_run(TextClassifier(encoder, class_weight={"a": 2}), PARTITION_ROWS, []),
        describe_run(TextClassifier(encoder, selection_rows=9), PARTITION_ROWS, []),
        describe_run(TextClassifier(encoder), 2 * PARTITION_ROWS, []),
    ]
    assert run not in others


def test_a_row_that_cannot_be_learned_is_named(ray, table, encoder):
    rows = [{"text": text, "label": label} for text, label in zip(*table, strict=True)]
    rows[3000]["text"] = ""
    with pytest.raises(ValueError, match=r"row 3000: the text is empty"):
        learn_dataset(ray.data.from_items(rows), encoder, workers=1, partition_rows=PARTITION_ROWS)


def test_the_command_writes_the_file_of_one_process(ray, tmp_path, monkeypatch, table):
    from faast.cli.main import app

    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "rows.csv", table, every=20)
    for options in ([], ["--ray", "local", "--resume", "saved"]):
        command = ["learn", "rows.csv", "-o", f"model{len(options)}", *options]
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.stderr
    assert (tmp_path / "model0").read_bytes() == (tmp_path / "model4").read_bytes()
    refused = CliRunner().invoke(app, ["learn", "rows.csv", "-o", "x", "--resume", "saved"])
    assert "name the cluster with --ray" in refused.stderr
