"""Class names: embed labels with the encoder that embeds the rows."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

import numpy as np

from faast._utils.arrays import FloatArray
from faast.core.sample import ROUNDING
from faast.encoders import Encoder
from faast.estimators.class_memory import ClassMemory

Names = dict[Hashable, FloatArray]
"""Embedding of each label, shape (d,), float64."""


def is_name(label: Hashable) -> bool:
    """Tell whether a label is text with a letter: only such a label can describe its class."""
    return isinstance(label, str) and any(character.isalpha() for character in label)


def embed_names(
    encoder: Encoder, labels: Iterable[Hashable], known: Mapping[Hashable, FloatArray]
) -> Names:
    """Return the embeddings of labels, encoding those that are not known yet.

    Each label is encoded alone, so that its bits do not depend on the other labels.

    Parameters
    ----------
    encoder : Encoder
    labels : iterable
    known : mapping of label to ndarray of shape (d,)
        Embeddings that need not be computed again.

    Returns
    -------
    dict of label to ndarray of shape (d,), float64

    Raises
    ------
    ValueError
        If the encoder cannot embed text.
    """
    names: Names = {}
    for label in dict.fromkeys(labels):
        vectors = known[label][None] if label in known else encoder.encode_labels([label])
        if vectors is None:
            raise ValueError(
                f"encoder {encoder.name!r} cannot embed text, so classes cannot be known by name; "
                "leave labels and class_names out, or use an encoder such as clip:NAME"
            )
        names[label] = np.asarray(vectors[0], dtype=np.float64)
    return names


def name_classes(
    memory: ClassMemory, declared: Iterable[Hashable], use_names: bool, names: Names
) -> ClassMemory:
    """Return a memory with embeddings for declared classes and, optionally, classes with rows.

    Parameters
    ----------
    memory : ClassMemory
    declared : iterable of labels
    use_names : bool
        Whether classes with rows whose label is a name get its embedding too.
    names : dict of label to ndarray of shape (d,)
        Embeddings in addition to those that the memory has.
    """
    known = {} if memory.embeddings is None else memory.embeddings.to_mapping()
    if not (known or names):
        return memory
    known = known | names
    filled = memory.classes[memory.counts > ROUNDING].tolist() if use_names else []
    wanted = dict.fromkeys([*declared, *filter(is_name, filled)])
    return memory.embed({label: known[label] for label in wanted})
