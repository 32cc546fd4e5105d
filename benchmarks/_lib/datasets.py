"""The labelled frozen features that the accuracy benchmarks measure on.

The sets are read from the shared folder of `benchmarks._lib.paths`; text features, which take
minutes to encode, are kept in its cache.
"""

from __future__ import annotations

import csv
import hashlib
import sys
import tempfile
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from sklearn import datasets
from sklearn.model_selection import train_test_split

from benchmarks._lib.paths import CACHE, DATA
from faast.encoders import load_encoder
from faast.evaluation.few_shot import draw_per_class

SHOTS = (1, 2, 4, 8, 16)
SENTENCE_ENCODER = "minilm"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows to learn from, rows to ask, and what the frozen model says of the classes.

    Parameters
    ----------
    name : str
    train, test : ndarray of shape (n, d), float32
    train_labels, test_labels : ndarray of shape (n,)
    class_embeddings : mapping of label to vector, optional
    supports : mapping of shots to (rows, labels)
        Published few-shot supports: the draw of seed 0.
    """

    name: str
    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    class_embeddings: dict[Hashable, np.ndarray] | None = None
    supports: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def support(self, shots: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return `shots` rows of each class: the published ones for seed 0, else a draw."""
        if seed == 0 and shots in self.supports:
            return self.supports[shots]
        rng = np.random.default_rng([seed, shots])
        chosen = draw_per_class(self.train_labels, np.unique(self.train_labels), shots, rng)
        return self.train[chosen], self.train_labels[chosen]


# -- each kind of set --------------------------------------------------------------------------


def clip(name: str) -> Dataset:
    """CLIP ViT-B/32 image features; train is the largest support and the validation rows."""
    kept = load_file(present(DATA / "clip" / f"{name}.safetensors"))

    def part(split: str) -> tuple[np.ndarray, np.ndarray]:
        return unit(kept[f"{split}.features"]), kept[f"{split}.labels"]

    supports = {shots: part(f"support_{shots}shot") for shots in SHOTS}
    pool, val, test = supports[max(SHOTS)], part("val"), part("test")
    rows, labels = (np.concatenate(pair) for pair in zip(pool, val, strict=True))
    embeddings = None
    if "class_embeddings" in kept:
        embeddings = dict(enumerate(unit(kept["class_embeddings"])))
    return Dataset(name, rows, labels, *test, embeddings, supports)


def text(name: str) -> Dataset:
    """Sentences and label names through a small sentence encoder; label names are the prior."""
    files = {split: present(DATA / "text" / f"{name}_{split}.csv") for split in ("train", "test")}
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files.values())).hexdigest()
    cached = CACHE / "features" / f"{name}-{SENTENCE_ENCODER}-{digest[:16]}.npz"
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent) as folder:
            written = Path(folder) / cached.name
            np.savez(written, **encode_texts(name, files))
            written.replace(cached)  # whole, whoever else writes it too
    kept = np.load(cached)
    embeddings = dict(zip(kept["labels"].tolist(), kept["embeddings"], strict=True))
    parts = [kept[key] for key in ("train", "train_labels", "test", "test_labels")]
    return Dataset(name, *parts, embeddings)


def cifar10() -> Dataset:
    """CIFAR-10 through a frozen MobileNet, in full; rows scaled to unit length as elsewhere."""
    kept = load_file(present(DATA / "image" / "cifar10_mobilenet_v1.safetensors"))
    parts = [unit(kept["train.features"]), kept["train.labels"]]
    return Dataset("cifar10", *parts, unit(kept["test.features"]), kept["test.labels"])


def scikit(name: str, seed: int = 0) -> Dataset:
    """Load a set of scikit-learn, standardised on the learned rows: 70% to learn, 30% to ask."""
    rows, labels = getattr(datasets, f"load_{name}")(return_X_y=True)
    train, test, train_labels, test_labels = train_test_split(
        rows, labels, test_size=0.3, stratify=labels, random_state=seed
    )
    mean, spread = train.mean(axis=0), train.std(axis=0)
    spread[spread == 0] = 1.0
    train, test = (((part - mean) / spread).astype(np.float32) for part in (train, test))
    return Dataset(name, train, train_labels, test, test_labels)


CLIP = ("caltech101", "oxford_flowers", "oxford_pets")
CLIP_NAMED = ("caltech101_named",)
TEXT = ("banking77", "trec", "sst2", "imdb")
SCIKIT = ("digits", "wine", "breast_cancer")

LOADERS: dict[str, Callable[[str], Dataset]] = {
    **dict.fromkeys((*CLIP, *CLIP_NAMED), clip),
    "dtd": lambda name: without_copies(clip(name)),
    **dict.fromkeys(TEXT, text),
    **dict.fromkeys(SCIKIT, scikit),
    "cifar10": lambda _: cifar10(),
}


def load(names: tuple[str, ...]) -> tuple[dict[str, Dataset], list[str]]:
    """Load sets by name.

    Returns
    -------
    dict of str to Dataset
        Those that are there.
    list of str
        A line for each that is not.
    """
    found, absent = {}, []
    for name in names:
        print(f"{name}: loading", file=sys.stderr)
        try:
            found[name] = LOADERS[name](name)
        except (FileNotFoundError, ImportError) as error:
            absent.append(f"{name} is left out: {error}")
    return found, absent


def without_copies(dataset: Dataset) -> Dataset:
    """Keep one of equal rows: the supports of DTD are drawn from its validation rows."""
    first = np.sort(np.unique(dataset.train, axis=0, return_index=True)[1])
    return replace(dataset, train=dataset.train[first], train_labels=dataset.train_labels[first])


def without_prior(dataset: Dataset) -> Dataset:
    return replace(dataset, class_embeddings=None)


# -- parts -------------------------------------------------------------------------------------


def present(path: Path) -> Path:
    if not path.exists():
        raise FileNotFoundError(f"{path.name} is not in the shared folder")
    return path


def unit(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def encode_texts(name: str, files: dict[str, Path]) -> dict[str, np.ndarray]:
    """Encode the rows of both splits and the label names."""
    encoder = load_encoder(SENTENCE_ENCODER)

    def encode(texts: list[str]) -> np.ndarray:
        return encoder.encode(texts, progress=True)

    made: dict[str, np.ndarray] = {}
    for split, file in files.items():
        with file.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        print(f"{name}: encoding {len(rows)} rows of {split}", file=sys.stderr)
        made[split] = encode([row["text"] for row in rows])
        made[f"{split}_labels"] = np.array([row["label"] for row in rows])
    made["labels"] = np.unique(made["train_labels"])
    made["embeddings"] = encode([label.replace("_", " ") for label in made["labels"].tolist()])
    return made
