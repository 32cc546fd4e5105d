"""Class names: embed labels with the encoder that embeds the rows."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast.core.row_weights import ROUNDING
from faast.encoders import Encoder
from faast.estimators.class_memory import ClassMemory
from faast.estimators.raw_rows import RawRowsMixin
from faast.estimators.targets import as_targets

Names = dict[Hashable, FloatArray]
"""Embedding of each label, shape (d,), float64."""


class ClassNamesMixin(RawRowsMixin):
    """Mixin of classifiers that embeds the names of classes, where the encoder knows meanings."""

    class_embeddings: AnyArray | Mapping[Hashable, AnyArray] | None
    class_names: bool | None
    _use_names: bool | None = None

    @property
    def uses_class_names(self) -> bool:
        """Whether names of learned classes are embedded: `class_names`, or the encoder's default.

        Raises
        ------
        ValueError
            If `class_names` is True and rows are features.
        """
        return self._uses_names()

    def embed_names(self, y: Any) -> Names:
        """Embed the names among the labels of n rows for `partial_fit_encoded`.

        Returns
        -------
        dict of label to ndarray of shape (d,)
            Empty if class names are not used, as where rows may have several labels.
        """
        if not self._uses_names():
            return {}
        targets = as_targets(y)
        if targets.kind.several:
            return {}
        return self._embed(label for label in targets.labels.tolist() if is_name(label))

    def _uses_names(self) -> bool:
        """Return whether the names of learned classes are used beside their rows."""
        if self._use_names is None:
            reference = self._encoding()
            if self.class_names is None:
                self._use_names = reference is not None and reference.encoder.semantic
            else:
                self._use_names = bool(self.class_names)
            if self._use_names and reference is None:
                raise ValueError(
                    "class_names=True needs an encoder that embeds the names; rows of features "
                    "have none (pass class_embeddings instead)"
                )
        return self._use_names

    def _embed(self, labels: Iterable[Any]) -> Names:
        encoder = self.encoder_
        return {} if encoder is None else embed_names(encoder, labels, self._known_names())

    def _known_names(self) -> Names:
        """Return embeddings of labels that need not be computed again."""
        return {}


def is_name(label: Hashable) -> bool:
    """Tell whether a label is text with a letter: only such a label can describe its class."""
    return isinstance(label, str) and any(character.isalpha() for character in label)


def require_embeddings(labels: Iterable[Hashable], names: Names) -> None:
    """Raise ValueError if a label that is to be predicted before any row has no embedding."""
    unknown = [label for label in labels if label not in names]
    if unknown:
        raise ValueError(
            f"labels={unknown} need an encoder that embeds the names; rows of features have none "
            "(pass class_embeddings instead)"
        )


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
    """Return a memory with embeddings for some classes and, optionally, those with rows.

    Parameters
    ----------
    memory : ClassMemory
    declared : iterable of labels
        Those without an embedding are left out.
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
    return memory.embed({label: known[label] for label in wanted if label in known})
