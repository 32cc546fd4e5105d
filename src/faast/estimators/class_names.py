"""Class names as class embeddings."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

import numpy as np

from faast._utils.arrays import FloatArray
from faast.core.sample import ROUNDING
from faast.encoders import Encoder
from faast.estimators.class_memory import ClassMemory

Named = dict[Hashable, FloatArray]


def is_name(label: Hashable) -> bool:
    """Tell whether a label says anything: a number says nothing of its class."""
    return isinstance(label, str) and any(character.isalpha() for character in label)


def embed_names(
    encoder: Encoder, labels: Iterable[Hashable], known: Mapping[Hashable, FloatArray]
) -> Named:
    """Embed the labels that are not known yet.

    Each is encoded alone, so that it has the same bits whichever classes came before it.

    Parameters
    ----------
    encoder : Encoder
    labels : iterable
    known : mapping of label to ndarray of shape (d,)

    Returns
    -------
    dict of label to ndarray of shape (d,), float64

    Raises
    ------
    ValueError
        The encoder embeds no text.
    """
    named: Named = {}
    for label in dict.fromkeys(labels):
        vectors = known[label][None] if label in known else encoder.encode_labels([label])
        if vectors is None:
            raise ValueError(
                f"encoder {encoder.name!r} embeds no text, so classes cannot be known by name; "
                "leave labels and class_names out, or use an encoder such as clip:NAME"
            )
        named[label] = np.asarray(vectors[0], dtype=np.float64)
    return named


def name_classes(
    learned: ClassMemory, declared: Iterable[Hashable], use_names: bool, embedded: Named
) -> None:
    """Give a memory the embeddings of declared classes and, if asked, of classes with rows.

    Parameters
    ----------
    learned : ClassMemory
    declared : iterable of labels
    use_names : bool
    embedded : dict of label to ndarray of shape (d,)
        Embeddings beside those that the memory has.
    """
    if not (learned.embeddings or embedded):
        return
    embedded = learned.embeddings | embedded
    filled = learned.classes[learned.counts > ROUNDING].tolist() if use_names else []
    wanted = dict.fromkeys([*declared, *filter(is_name, filled)])
    learned.embed({label: embedded[label] for label in wanted})
