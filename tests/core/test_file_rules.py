"""What parts of a file must satisfy together: each rule refuses the state that breaks it."""

import numpy as np
import pytest
import safetensors.numpy

import faast
from faast import (
    AssociativeMemory,
    FaastClassifier,
    FaastRegressor,
    ModelFileError,
    Moments,
    NaturalGradientClassifier,
    Ridge,
)
from faast._utils.validation import Batch
from faast.core.atomic_files import TEMPORARY_SUFFIX, require_place, write_whole
from faast.core.feature_rows import FeatureRows
from faast.core.persistence import METADATA_KEY
from faast.core.statistics import Statistics
from faast.core.weights import FastWeights
from tests.forging import forge


def unit_rows(count, seed=0, width=8):
    rows = np.random.default_rng(seed).standard_normal((count, width))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def learned(capacity, maps, n_rows=30):
    """Statistics of rows in three classes."""
    keys, values = unit_rows(n_rows), np.eye(3)[np.arange(n_rows) % 3]
    statistics = Statistics.empty(Moments(8, 3), capacity, maps)
    return statistics.merge(statistics.sum_batches([Batch(keys, values, None, 0)]))


# -- moments and samples -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        ({}, {"n_features": 0}, "n_features must be an integer of at least 1"),
        ({"grids.key.scale": np.ones(5)}, {}, "must have shape|one per column, of 8 columns"),
        ({}, {"n_values": True}, "n_values must be an integer of at least 0"),
    ],
)
def test_moments_need_shapes_that_rows_can_have(tensors, metadata, message):
    moments = Moments(8, 3).add(unit_rows(4), np.eye(3)[[0, 1, 2, 0]])
    with pytest.raises(ValueError, match=message):
        forge(moments, tensors, metadata)


def test_moments_equal_moments_alone():
    moments = Moments(8, 3)
    assert moments != "moments"
    assert moments == Moments(8, 3)


@pytest.mark.parametrize(
    ("metadata", "drop", "message"),
    [
        ({"maps": 1}, (), "maps and thinned must be true or false"),
        ({"thinned": None}, (), "maps and thinned must be true or false"),
    ],
)
def test_statistics_say_what_they_keep(metadata, drop, message):
    with pytest.raises(ValueError, match=message):
        forge(learned(100, maps=False), metadata=metadata, drop=drop)


def test_a_sample_that_is_not_every_row_needs_moments():
    sampled = learned(10, maps=False)
    names = [n for n in sampled.to_state().tensors if n.startswith("moments.")]
    with pytest.raises(ValueError, match="sample does not hold every row"):
        forge(sampled, drop=[n for n in names if "grids" not in n])


def test_a_sample_has_the_width_of_its_moments():
    statistics = learned(100, maps=False)
    narrow = statistics.to_state().tensors["rows.keys"][:, :-1]
    with pytest.raises(ValueError, match="width of their moments"):
        forge(statistics, {"rows.keys": np.ascontiguousarray(narrow)})


def test_a_sample_has_the_count_of_its_moments():
    sampled = learned(10, maps=False)
    heavy = sampled.to_state().tensors["rows.weights"] + 100
    with pytest.raises(ValueError, match="row count of the moments"):
        forge(sampled, {"rows.weights": heavy})


# -- rows for random features --------------------------------------------------------------------


@pytest.fixture
def narrowed(monkeypatch):
    """Statistics with rows in bytes, as after more rows than are kept whole."""
    monkeypatch.setattr("faast.core.feature_rows.WHOLE_ROWS", 20)
    return learned(10, maps=True)


def test_rows_for_random_features_come_back(narrowed):
    assert not narrowed.mapped.is_whole
    again = forge(narrowed)
    for name, tensor in narrowed.mapped.to_state().tensors.items():
        assert np.array_equal(again.mapped.to_state().tensors[name], tensor), name
    assert again.nbytes == narrowed.nbytes > narrowed.mapped.nbytes > 0


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("mapped.weights", lambda t: t + 1, "row count of the moments"),
        ("mapped.values", lambda t: t + 9, "classes that are not those"),
        ("mapped.keys", lambda t: t[:, 1:], "width of their moments"),
        ("mapped.keys", lambda t: t.astype(np.float64), "are rounded if more than 20"),
        ("mapped.hashes", lambda t: t[1:], "do not fit each other"),
        ("mapped.hashes", lambda t: t.astype(np.int64), "do not fit each other"),
    ],
)
def test_rows_for_random_features_are_of_the_same_rows(narrowed, name, change, message):
    forged = np.ascontiguousarray(change(narrowed.to_state().tensors[name]))
    with pytest.raises(ValueError, match=message):
        forge(narrowed, {name: forged})


def test_rows_for_random_features_are_needed(narrowed):
    with pytest.raises(ValueError, match="rows for random features are missing"):
        forge(narrowed, drop=["mapped"])


def test_the_sample_of_rows_is_not_rounded(narrowed):
    rounded = {f"rows.{n}": t for n, t in narrowed.mapped.rows.limit(10).to_state().tensors.items()}
    rounded["rows.values"] = narrowed.rows.values
    with pytest.raises(ValueError, match="rounded to bytes"):
        forge(narrowed, rounded)


def test_rows_that_were_never_learned_cannot_be_taken(narrowed):
    few = FeatureRows.of(narrowed.moments, narrowed.rows)
    with pytest.raises(ValueError, match="rows to forget were never all learned"):
        few.unmerge(narrowed.mapped, narrowed.moments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m[:, :2], "values and of|must have shape|cannot be added"),
        (lambda m: m[:-1], "do not fit random features"),
    ],
)
def test_weights_of_random_features_fit_their_queries(monkeypatch, change, message):
    monkeypatch.setattr("faast.solvers.auto.MAPPED_ROWS", 50)
    monkeypatch.setattr("faast.solvers.auto.MAPPED_ROWS_PER_CLASS", 10)
    X = unit_rows(600)
    y = np.digitize(X[:, 0] * X[:, 1], [-0.05, 0.05])
    weights = FaastClassifier().fit(X, y).weights_
    assert weights.mapped is not None
    matrix = np.ascontiguousarray(change(weights.mapped.matrix))
    parts = {"mapped.matrix": matrix}
    if matrix.shape[1] != weights.mapped.matrix.shape[1]:
        parts["mapped.bias"] = weights.mapped.bias[: matrix.shape[1]]
    with pytest.raises(ValueError, match=message):
        forge(weights, parts)


def test_weights_alone_come_back():
    weights = FastWeights(np.ones((3, 2)), np.zeros(2), rank=2, condition=1.0, explained=0.5)
    assert np.array_equal(forge(weights).matrix, weights.matrix)


# -- grids and sums ------------------------------------------------------------------------------


def test_values_in_units_of_their_own_keep_them_when_outputs_move():
    values = np.array([[1e3, 1e-3], [2e3, 3e-3], [5e2, 2e-3]])
    moments = Moments(8, 2).add(unit_rows(3), values)
    scales = np.asarray(moments.value_scale)
    assert scales.shape == (2,)
    moved = moments.copy().select_outputs(np.array([1, -1, 0]))
    assert np.array_equal(np.asarray(moved.value_scale), [scales[1], scales.max(), scales[0]])
    assert np.allclose(moved.cross[:, [2, 0]], moments.cross)


def test_copies_of_a_row_beyond_64_bits_are_refused():
    moments = Moments(8, 1)
    with pytest.raises(OverflowError, match="64-bit integers"):
        moments.add(unit_rows(1), np.ones((1, 1)), np.array([2.0**45]))
    assert moments.count == 0


def test_fractional_weights_after_whole_ones_make_sums_inexact():
    keys, values = unit_rows(2_100), np.ones((2_100, 1))
    weights = np.ones(2_100)
    weights[-1] = 0.5
    moments = Moments(8, 1).add(keys, values, weights)
    assert not moments.exact
    assert moments.count == 2_099.5


# -- files and folders ---------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["{", "[1, 2]", '"text"'])
def test_metadata_that_is_no_object_is_refused(tmp_path, content):
    path = tmp_path / "model"
    path.write_bytes(safetensors.numpy.save({"a": np.zeros(1)}, {METADATA_KEY: content}))
    with pytest.raises(ModelFileError, match=r"unreadable metadata|not a JSON object"):
        faast.load(path)


def test_places_that_cannot_be_written_are_named(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"there is no folder"):
        require_place(tmp_path / "missing" / "model")
    with pytest.raises(FileExistsError, match="is not a file"):
        require_place(tmp_path)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="no permission to write"):
        require_place(tmp_path / "model")


def test_leftovers_of_killed_writers_go(tmp_path):
    path = tmp_path / "model"
    write_whole(path, b"old")
    leftover = tmp_path / f".model.0123456789ab{TEMPORARY_SUFFIX}"
    leftover.write_bytes(b"half")
    write_whole(path, b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_a_failed_check_keeps_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "model"
    write_whole(path, b"old")

    def refuse(temporary):
        raise ValueError("not what was meant")

    with pytest.raises(ValueError, match="not what was meant"):
        write_whole(path, b"new", refuse)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_systems_without_locks_write_too(tmp_path, monkeypatch):
    monkeypatch.setattr("faast.core.atomic_files.fcntl", None)
    write_whole(tmp_path / "model", b"content")
    assert (tmp_path / "model").read_bytes() == b"content"


def test_another_writer_may_take_a_new_file_for_a_leftover(tmp_path, monkeypatch):
    from faast.core import atomic_files

    lock, taken = atomic_files.fcntl.flock, []

    def take_first(handle, mode):
        if not taken:
            taken.append([file.unlink() for file in tmp_path.iterdir()])
        lock(handle, mode)

    monkeypatch.setattr(atomic_files.fcntl, "flock", take_first)
    write_whole(tmp_path / "model", b"content")
    assert taken
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_only_own_classes_are_saved(tmp_path):
    class Mine(FaastClassifier):
        pass

    model = Mine().fit(unit_rows(6), np.arange(6) % 2)
    with pytest.raises(ValueError, match="library's own classes"):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "model",
    [
        FaastClassifier(novelty=np.bool_(True), prior_count=np.int64(5)),
        FaastClassifier(Ridge(strength=np.float32(0.1)), selection_rows=np.int64(20)),
        FaastRegressor(Ridge(strength=np.float64(0.1)), selection_rows=np.int64(20)),
        NaturalGradientClassifier(window=np.int64(100), buffer=np.int64(50)),
        AssociativeMemory(selection_rows=np.int64(20), key_scale=np.float32(2)),
    ],
)
def test_parameters_may_be_numpy_scalars(model, tmp_path):
    X, y = unit_rows(12), np.arange(12) % 2
    model.learn(X, y) if isinstance(model, AssociativeMemory) else model.fit(X, y)
    model.save(tmp_path / "model")
    again = faast.load(tmp_path / "model")
    if isinstance(model, AssociativeMemory):
        np.testing.assert_array_equal(again.read(X), model.read(X))
    else:
        np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_what_no_file_can_hold_is_named(tmp_path):
    model = FaastClassifier().fit(unit_rows(12), np.arange(12) % 2)
    model.prior_count = 1 + 0j
    with pytest.raises(TypeError, match=r"cannot hold \(1\+0j\) of type complex"):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_damaged_part_keeps_its_own_error(tmp_path, monkeypatch):
    path = tmp_path / "model"
    FaastClassifier().fit(unit_rows(6), np.arange(6) % 2).save(path)

    def refuse(state):
        raise ModelFileError("a part says why")

    monkeypatch.setattr(FaastClassifier, "from_state", refuse)
    with pytest.raises(ModelFileError, match="a part says why"):
        faast.load(path)
