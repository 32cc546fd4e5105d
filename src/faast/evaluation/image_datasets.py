"""CIFAR-10, CIFAR-100 and mini-ImageNet as their authors' archives unpack."""

from __future__ import annotations

import csv
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from faast._utils.arrays import AnyArray
from faast.encoders import Encoder
from faast.evaluation.few_shot import halves
from faast.evaluation.measure import Labelled

SIDE = 32


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images to learn from and to ask about, before any encoder.

    Attributes
    ----------
    train, test : sequence
        What an image encoder takes: uint8 arrays of shape (32, 32, 3), or paths.
    train_labels, test_labels : ndarray of shape (n,), str
        Names of classes, so that an encoder that reads text has a prior.
    """

    train: Sequence[Any] | AnyArray
    train_labels: AnyArray
    test: Sequence[Any] | AnyArray
    test_labels: AnyArray

    def encoded(self, encoder: Encoder) -> tuple[Labelled, Labelled, dict[Any, AnyArray] | None]:
        """Put the images through a frozen encoder.

        Returns
        -------
        pair, pair
            Features of shape (n, d) and labels, to learn and to ask.
        dict of label to vector, or None
            The embedded names of classes, where the encoder reads text.
        """
        names = np.unique(self.train_labels)
        prior = encoder.encode_labels(names.tolist())
        return (
            (encoder.encode(self.train, progress=True), self.train_labels),
            (encoder.encode(self.test, progress=True), self.test_labels),
            None if prior is None else dict(zip(names.tolist(), prior, strict=True)),
        )


def load_cifar(folder: str | Path) -> ImageSet:
    """Read CIFAR-10 or CIFAR-100 (fine labels) in the Python layout.

    Parameters
    ----------
    folder : path-like
        ``cifar-10-batches-py`` (data_batch_1 …, test_batch, batches.meta) or ``cifar-100-python``
        (train, test, meta).

    Raises
    ------
    FileNotFoundError
        It holds neither layout.
    ValueError
        A file is not such a batch, or asks to load anything but arrays and plain values.

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
            "that the Python archive unpacks to"
        )
    classes = np.array([name.decode() for name in _entry(folder / meta, names)])
    read = [[_batch(file, labels, classes) for file in files] for files in parts]
    (train, train_labels), (test, test_labels) = (
        (np.concatenate(rows), np.concatenate(named))
        for rows, named in (zip(*batches, strict=True) for batches in read)
    )
    return ImageSet(train, train_labels, test, test_labels)


def load_mini_imagenet(folder: str | Path, split: str = "test", seed: int = 42) -> ImageSet:
    """Read a split of mini-ImageNet, each class halved into images to learn and to ask.

    Parameters
    ----------
    folder : path-like
        Holds ``{split}.csv`` (columns filename, label) and the images in ``images/``, or a folder
        ``{split}`` with one folder of images a class.
    split : str
        ``test`` in the paper: 20 classes.
    seed : int
        Of the halves.

    Raises
    ------
    FileNotFoundError
        There are no images, or one that the table names is missing.
    ValueError
        The table lacks a column.

    References
    ----------
    Vinyals et al., arXiv:1606.04080; split of Ravi and Larochelle (2017).
    """
    table, classes = Path(folder) / f"{split}.csv", Path(folder) / split
    if table.exists():
        named = _tabled(table)
    else:
        named = [(file, file.parent.name) for file in sorted(classes.glob("*/*")) if file.is_file()]
    if not named:
        raise FileNotFoundError(
            f"{folder} has no images in {split}.csv or in one folder a class of {split}; "
            "give the folder that the images unpack to"
        )
    labels = np.array([label for _, label in named])
    learned, asked = halves(labels, seed)
    paths = [path for path, _ in named]
    return ImageSet(
        [paths[i] for i in learned], labels[learned], [paths[i] for i in asked], labels[asked]
    )


def _tabled(table: Path) -> list[tuple[Path, str]]:
    with table.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        if not {"filename", "label"} <= set(rows.fieldnames or ()):
            raise ValueError(f"{table} needs the columns filename and label, has {rows.fieldnames}")
        named = [(table.parent / "images" / row["filename"], row["label"]) for row in rows]
    for path, _ in named:
        if not path.exists():
            raise FileNotFoundError(f"{table} names {path.name}, which is not in {path.parent}")
    return named


def _batch(file: Path, labels: bytes, classes: AnyArray) -> tuple[AnyArray, AnyArray]:
    pixels = np.asarray(_entry(file, b"data"))
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != 3 * SIDE**2:
        raise ValueError(
            f"{file}: data must be uint8 of shape (n, {3 * SIDE**2}), "
            f"got {pixels.dtype} of shape {pixels.shape}"
        )
    images = pixels.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), classes[np.asarray(_entry(file, labels))]


def _entry(file: Path, key: bytes) -> Any:
    with file.open("rb") as stream:
        try:
            return _PlainUnpickler(stream, encoding="bytes").load()[key]
        except (pickle.UnpicklingError, EOFError, KeyError, TypeError) as error:
            raise ValueError(f"{file} is no CIFAR batch in the Python layout: {error}") from error


class _PlainUnpickler(pickle.Unpickler):
    """Reads arrays and plain values; a pickle that names any other callable is refused."""

    _rebuild: Callable[..., Any] = staticmethod(np.empty(0).__reduce__()[0])  # type: ignore[arg-type]

    def find_class(self, module: str, name: str) -> Any:
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return self._rebuild
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if (module, name) == ("_codecs", "encode"):
            return _latin_bytes
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _latin_bytes(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding}")
    return text.encode("latin1")
