"""Load CIFAR-10, CIFAR-100 and mini-ImageNet from the folders that their archives unpack to."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from faast._utils.arrays import AnyArray
from faast.encoders import Encoder
from faast.evaluation.few_shot import halve_classes
from faast.evaluation.measure import Labelled
from faast.evaluation.plain_pickle import load_plain

MAX_BATCH_BYTES = 1 << 29
"""Most bytes of a file; those of CIFAR-100 have 155 million."""

SIDE = 32
"""Height and width of a CIFAR image in pixels."""


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images to learn and test images, not yet encoded.

    Attributes
    ----------
    train, test : sequence of length n
        Rows for an image encoder: uint8 arrays of shape (32, 32, 3), or paths.
    train_labels, test_labels : ndarray of shape (n,), str
        Class names; encoders that also embed text turn them into class embeddings.
    """

    train: Sequence[Any] | AnyArray
    train_labels: AnyArray
    test: Sequence[Any] | AnyArray
    test_labels: AnyArray

    def encode(self, encoder: Encoder) -> tuple[Labelled, Labelled, dict[Any, AnyArray] | None]:
        """Encode all images, and the class names if the encoder embeds text.

        Parameters
        ----------
        encoder : Encoder
            Of images.

        Returns
        -------
        train, test : pair of ndarray
            Features of shape (n, d) and labels of shape (n,).
        class_embeddings : dict of label to ndarray of shape (d,), or None
            None if the encoder embeds no text.
        """
        names = np.unique(self.train_labels)
        prior = encoder.encode_labels(names.tolist())
        return (
            (encoder.encode(self.train, progress=True), self.train_labels),
            (encoder.encode(self.test, progress=True), self.test_labels),
            None if prior is None else dict(zip(names.tolist(), prior, strict=True)),
        )


def load_cifar(folder: str | Path) -> ImageSet:
    """Load CIFAR-10 or CIFAR-100 (with fine labels) from the folder of the Python version.

    Parameters
    ----------
    folder : path-like
        ``cifar-10-batches-py``, which holds data_batch_1 to data_batch_5, test_batch and
        batches.meta, or ``cifar-100-python``, which holds train, test and meta.

    Raises
    ------
    FileNotFoundError
        If the folder holds neither batches.meta nor meta.
    ValueError
        If a file is not a CIFAR batch, or its pickle refers to anything but arrays and plain
        values. Such a pickle is not executed.

    References
    ----------
    Krizhevsky, Learning multiple layers of features from tiny images (2009).
    """
    folder = Path(folder)
    if (folder / "batches.meta").exists():
        parts = sorted(folder.glob("data_batch_*")), [folder / "test_batch"]
        meta, names, labels = "batches.meta", b"label_names", b"labels"
    elif (folder / "meta").exists():
        parts = [folder / "train"], [folder / "test"]
        meta, names, labels = "meta", b"fine_label_names", b"fine_labels"
    else:
        raise FileNotFoundError(
            f"{folder} holds neither batches.meta (CIFAR-10) nor meta (CIFAR-100); give the folder "
            "that the archive of the Python version unpacks to"
        )
    classes = np.array([name.decode() for name in _read_entry(folder / meta, names)])
    read = [[_read_batch(file, labels, classes) for file in files] for files in parts]
    (train, train_labels), (test, test_labels) = (
        (np.concatenate(rows), np.concatenate(named))
        for rows, named in (zip(*batches, strict=True) for batches in read)
    )
    return ImageSet(train, train_labels, test, test_labels)


def load_mini_imagenet(folder: str | Path, split: str = "test", seed: int = 42) -> ImageSet:
    """Load a split of mini-ImageNet; half of each class is to be learned, half is for testing.

    Parameters
    ----------
    folder : path-like
        Holds ``{split}.csv`` (columns filename and label) and the images in ``images/``, or a
        folder ``{split}`` with one folder of images per class.
    split : str
        The paper uses "test", which has 20 classes.
    seed : int
        Seed of the halves; see `halve_classes`.

    Raises
    ------
    FileNotFoundError
        If there are no images, or an image that the table names is missing.
    ValueError
        If the table lacks a column.

    References
    ----------
    Vinyals et al., arXiv:1606.04080; split of Ravi and Larochelle (2017).
    """
    table, classes = Path(folder) / f"{split}.csv", Path(folder) / split
    if table.exists():
        named = _read_table(table)
    else:
        named = [(file, file.parent.name) for file in sorted(classes.glob("*/*")) if file.is_file()]
    if not named:
        raise FileNotFoundError(
            f"{folder} has no images: neither a table {split}.csv that names any, nor a folder "
            f"{split} with one folder of images per class; give the folder that the archive "
            "unpacks to"
        )
    labels = np.array([label for _, label in named])
    train, test = halve_classes(labels, seed)
    paths = [path for path, _ in named]
    return ImageSet(
        [paths[i] for i in train], labels[train], [paths[i] for i in test], labels[test]
    )


def _read_table(table: Path) -> list[tuple[Path, str]]:
    with table.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        if not {"filename", "label"} <= set(rows.fieldnames or ()):
            raise ValueError(f"{table} must have columns filename and label, has {rows.fieldnames}")
        named = [(table.parent / "images" / row["filename"], row["label"]) for row in rows]
    for path, _ in named:
        if not path.exists():
            raise FileNotFoundError(
                f"{table} names {path.name}, which is not in {path.parent}; put the image there"
            )
    return named


def _read_batch(file: Path, labels: bytes, classes: AnyArray) -> tuple[AnyArray, AnyArray]:
    pixels = np.asarray(_read_entry(file, b"data"))
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != 3 * SIDE**2:
        raise ValueError(
            f"{file}: data must be uint8 of shape (n, {3 * SIDE**2}), "
            f"got {pixels.dtype} of shape {pixels.shape}"
        )
    images = pixels.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), classes[np.asarray(_read_entry(file, labels))]


def _read_entry(file: Path, key: bytes) -> Any:
    try:
        if file.stat().st_size > MAX_BATCH_BYTES:
            raise ValueError(f"more than {MAX_BATCH_BYTES:,} bytes")
        return load_plain(file.read_bytes())[key]
    except FileNotFoundError:
        raise
    except Exception as error:  # a forged pickle may raise any exception
        raise ValueError(f"{file} is not a CIFAR batch of the Python version: {error}") from error
