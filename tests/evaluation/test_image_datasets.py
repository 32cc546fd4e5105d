import pickle

import numpy as np
import pytest

from faast.encoders import load_encoder
from faast.evaluation.image_datasets import load_cifar, load_mini_imagenet


def dump(path, content):
    path.write_bytes(pickle.dumps(content, protocol=2))


def batch(rng, labels, key=b"labels"):
    pixels = rng.integers(0, 256, (len(labels), 3072), dtype=np.uint8)
    return {b"data": pixels, key: list(labels)}


@pytest.fixture
def cifar10(tmp_path, rng):
    dump(tmp_path / "batches.meta", {b"label_names": [b"cat", b"dog"]})
    for number in (1, 2):
        dump(tmp_path / f"data_batch_{number}", batch(rng, [0, 1, 1]))
    dump(tmp_path / "test_batch", batch(rng, [1, 0]))
    return tmp_path


def test_cifar10_through_an_encoder(cifar10):
    images = load_cifar(cifar10)
    assert images.train.shape == (6, 32, 32, 3)
    assert images.test_labels.tolist() == ["dog", "cat"]
    raw = pickle.loads((cifar10 / "test_batch").read_bytes())[b"data"]
    assert images.test[1, 3, 5].tolist() == raw[1].reshape(3, 32, 32)[:, 3, 5].tolist()
    (features, labels), (asked, _), prior = images.encode(load_encoder("pixels"))
    assert len(features) == len(labels) == 6
    assert np.linalg.norm(asked, axis=1) == pytest.approx(1, abs=1e-6)
    assert prior is None


def test_cifar100_has_fine_labels(tmp_path, rng):
    dump(tmp_path / "meta", {b"fine_label_names": [b"apple", b"bee"], b"coarse_label_names": []})
    for name in ("train", "test"):
        dump(tmp_path / name, batch(rng, [1, 0], b"fine_labels"))
    assert load_cifar(tmp_path).train_labels.tolist() == ["bee", "apple"]


def test_a_pickle_that_would_run_code_is_refused(cifar10, tmp_path):
    witness = tmp_path / "ran"
    payload = b"cposix\nsystem\n(S'touch " + str(witness).encode() + b"'\ntR."
    (cifar10 / "test_batch").write_bytes(payload)
    with pytest.raises(ValueError, match=r"test_batch is not a CIFAR batch.*posix\.system"):
        load_cifar(cifar10)
    assert not witness.exists()


def test_wrong_folders_and_shapes_are_named(cifar10, tmp_path_factory):
    with pytest.raises(FileNotFoundError, match="holds neither"):
        load_cifar(tmp_path_factory.mktemp("empty"))
    dump(cifar10 / "test_batch", {b"data": np.zeros((2, 5)), b"labels": [0, 1]})
    with pytest.raises(ValueError, match="must be uint8 of shape"):
        load_cifar(cifar10)


def test_mini_imagenet_is_halved_by_class(tmp_path, rng):
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "images").mkdir()
    lines = ["filename,label"]
    for number in range(12):
        name = f"n{number:02}.jpg"
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        image.fromarray(pixels).save(tmp_path / "images" / name)
        lines.append(f"{name},n0{number % 3}")
    (tmp_path / "test.csv").write_text("\n".join(lines))
    images = load_mini_imagenet(tmp_path)
    assert sorted(images.train_labels) == sorted(images.test_labels)
    assert not set(images.train) & set(images.test)
    (features, _), _, _ = images.encode(load_encoder("pixels"))
    assert len(features) == 6
    (tmp_path / "images" / "n00.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"names n00\.jpg"):
        load_mini_imagenet(tmp_path)


def test_mini_imagenet_in_a_folder_a_class(tmp_path):
    for name in ("wolf", "crab"):
        (tmp_path / "test" / name).mkdir(parents=True)
        for number in range(4):
            (tmp_path / "test" / name / f"{number}.jpg").touch()
    images = load_mini_imagenet(tmp_path)
    assert sorted(images.train_labels) == ["crab", "crab", "wolf", "wolf"]
    assert [path.parent.name for path in images.train] == list(images.train_labels)
    assert not set(images.train) & set(images.test)
    with pytest.raises(FileNotFoundError, match=r"no images: neither a table train.csv"):
        load_mini_imagenet(tmp_path, "train")
