"""Hostile model files: one clear error each, and nothing half-loaded."""

import json

import numpy as np
import pytest
import safetensors.numpy

import faast
from faast import AssociativeMemory, FaastClassifier, FaastRegressor, ModelFileError, Ridge
from faast.core.persistence import METADATA_KEY, content_hash


@pytest.fixture
def model_file(tmp_path, unit_rows):
    path = tmp_path / "model.faast"
    model = FaastClassifier().fit(unit_rows[0], unit_rows[1].argmax(axis=1))
    model.predict(unit_rows[0])  # solved, so that the file holds the head too
    model.save(path)
    return path


def opened(path):
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = json.loads(file.metadata()[METADATA_KEY])
        return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118


def rewritten(path, tensors, metadata, rehash=True):
    if rehash:
        metadata["hash"] = content_hash(tensors, metadata)
    path.write_bytes(safetensors.numpy.save(tensors, {METADATA_KEY: json.dumps(metadata)}))


def test_every_truncation_is_refused(model_file):
    content = model_file.read_bytes()
    for length in (0, 5, 8, 100, len(content) // 2, len(content) - 1):
        model_file.write_bytes(content[:length])
        with pytest.raises(ModelFileError, match="not a complete safetensors file"):
            faast.load(model_file)


@pytest.mark.parametrize(
    "content", [b"\x80\x04\x95", b"PK\x03\x04" * 50, b"{}", b"a,b\n1,2\n" * 99]
)
def test_foreign_files_are_refused(tmp_path, content):
    path = tmp_path / "foreign"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="not a complete safetensors file"):
        faast.load(path)


def test_other_safetensors_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    safetensors.numpy.save_file({"weight": np.zeros(3)}, path)
    with pytest.raises(ModelFileError, match="not written by this library"):
        faast.load(path)


def test_every_flipped_byte_of_the_tensors_is_noticed(model_file, rng):
    content = bytearray(model_file.read_bytes())
    header = 8 + int.from_bytes(content[:8], "little")
    for position in rng.integers(header, len(content), 20):
        changed = bytearray(content)
        changed[position] ^= 1
        model_file.write_bytes(changed)
        with pytest.raises(ModelFileError, match="damaged or changed"):
            faast.load(model_file)


def test_changed_metadata_is_noticed(model_file):
    tensors, metadata = opened(model_file)
    metadata["state"]["learned"]["classes"][1] = 9
    rewritten(model_file, tensors, metadata, rehash=False)
    with pytest.raises(ModelFileError, match="damaged or changed"):
        faast.load(model_file)


@pytest.mark.parametrize("version", [0, 1, "2", None])
def test_unknown_versions_are_refused_by_number(model_file, version):
    tensors, metadata = opened(model_file)
    metadata["format"] = version
    rewritten(model_file, tensors, metadata)
    with pytest.raises(ModelFileError, match=f"format version {version!r}, this library reads 2"):
        faast.load(model_file)


def test_unknown_kinds_are_refused(model_file):
    tensors, metadata = opened(model_file)
    metadata["kind"] = "forest"
    rewritten(model_file, tensors, metadata)
    with pytest.raises(ModelFileError, match="holds 'forest'; this library reads"):
        faast.load(model_file)


def test_a_forged_hash_does_not_help_an_inconsistent_file(model_file):
    tensors, metadata = opened(model_file)
    for name in sorted(tensors):
        fewer = {n: t for n, t in tensors.items() if n != name}
        rewritten(model_file, fewer, dict(metadata))
        if name.endswith("scale"):
            continue  # optional: decided by the first rows
        with pytest.raises(ModelFileError, match="incomplete or inconsistent"):
            faast.load(model_file)


@pytest.mark.parametrize("change", ["shape", "nan", "dtype"])
def test_tensors_of_the_wrong_kind_are_refused(model_file, change):
    tensors, metadata = opened(model_file)
    name = "head.weights.matrix" if change == "nan" else "learned.statistics.moments.cross"
    tensor = tensors[name].copy()
    if change == "shape":
        tensor = tensor[:-1]
    elif change == "nan":
        tensor[0, 0] = np.nan
    else:
        tensor = tensor.astype(np.int32)
    tensors[name] = tensor
    rewritten(model_file, tensors, metadata)
    with pytest.raises(ModelFileError, match="NaN" if change == "nan" else "cross must have shape"):
        faast.load(model_file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no model file"):
        faast.load(tmp_path / "nowhere")


def test_a_failed_save_leaves_the_old_file(model_file, unit_rows):
    class Own(Ridge):
        pass

    before = model_file.read_bytes()
    model = FaastClassifier(Own()).fit(unit_rows[0], unit_rows[1].argmax(axis=1))
    with pytest.raises(ValueError, match="only name the library's own solvers"):
        model.save(model_file)
    assert model_file.read_bytes() == before
    assert [entry.name for entry in model_file.parent.iterdir()] == [model_file.name]


def test_save_writes_exactly_the_path_it_was_given(tmp_path, unit_rows):
    AssociativeMemory().learn(*unit_rows).save(tmp_path / "name.with.dots")
    assert [entry.name for entry in tmp_path.iterdir()] == ["name.with.dots"]


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1, 2],
        ["a", "bb", "c"],
        [True, False, True],
        [1.0, 2.0, 3.0],
        np.array(["a", 1, ("b", 2)], dtype=object),
        [[1, 0], [0, 1], [1, 1]],
    ],
)
def test_labels_of_every_kind_come_back(tmp_path, labels):
    model = FaastClassifier().fit(np.eye(3), labels)
    model.save(tmp_path / "model")
    loaded = faast.load(tmp_path / "model")
    assert loaded.classes_.dtype == model.classes_.dtype
    assert loaded.classes_.tolist() == model.classes_.tolist()
    assert np.array_equal(loaded.predict(np.eye(3)), model.predict(np.eye(3)))


def test_settings_come_back(tmp_path, unit_rows):
    labels = unit_rows[1].argmax(axis=1)
    model = FaastClassifier(
        Ridge("gcv"), class_weight={0: 2.0, 3: 0.5}, selection_rows=10, key_scale=2.0
    ).fit(unit_rows[0], labels)
    model.save(tmp_path / "model")
    loaded = faast.load(tmp_path / "model")
    assert loaded.get_params() == model.get_params()


def test_regressors_and_compacted_models_come_back(tmp_path, unit_rows):
    rows, values = unit_rows
    for index, model in enumerate(
        (
            FaastRegressor().fit(rows, values[:, 0]),
            FaastRegressor(value_scale=4.0).fit(rows, values).compact(),
            FaastClassifier().fit(rows, values.argmax(axis=1)).compact(),
        )
    ):
        path = tmp_path / str(index)
        model.save(path)
        assert np.array_equal(faast.load(path).predict(rows), model.predict(rows))
    with pytest.raises(ValueError, match="was compacted"):
        faast.load(path).partial_fit(rows, values.argmax(axis=1))
