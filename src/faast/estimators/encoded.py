"""TextClassifier and ImageClassifier: `FaastClassifier` with an encoder of texts or of images."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from typing import ClassVar

from faast._utils.arrays import AnyArray
from faast.data.reader import Modality
from faast.encoders import Encoder
from faast.estimators.classifier import FaastClassifier
from faast.estimators.memory import SELECTION_ROWS
from faast.solvers import Solver


class EncodedClassifier(FaastClassifier):
    """`FaastClassifier` on raw rows; the encoder is the first parameter and has a default."""

    def __init__(
        self,
        encoder: str | Encoder | None = None,
        labels: Sequence[str] = (),
        *,
        class_names: bool | None = None,
        novelty: bool = False,
        cache: str | os.PathLike[str] | None = None,
        solver: Solver | str = "auto",
        class_embeddings: Mapping[Hashable, AnyArray] | None = None,
        class_weight: Mapping[Hashable, float] | str | None = None,
        prior_count: float | None = None,
        selection_rows: int = SELECTION_ROWS,
        key_scale: float | AnyArray | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            solver,
            class_embeddings,
            class_weight,
            novelty,
            encoder=encoder,
            labels=labels,
            class_names=class_names,
            cache=cache,
            prior_count=prior_count,
            selection_rows=selection_rows,
            key_scale=key_scale,
            verbose=verbose,
        )


class TextClassifier(EncodedClassifier):
    """Classification of texts in closed form: `fit`, `predict`, `forget`.

    A scikit-learn estimator on lists, Series and arrays of texts: a frozen encoder and a
    `FaastClassifier` on its features, with the same promises: any order and batching, new classes
    at any time, nothing to tune, exact forgetting.

    Parameters
    ----------
    encoder : str or Encoder, optional
        A name for `load_encoder`, or what it returned. "hashing", the default, needs no weights;
        "minilm" knows meanings.
    labels, class_names, cache, solver, novelty and others
        See `FaastClassifier`.

    Raises
    ------
    EncoderMismatchError
        The encoder takes no texts.

    Examples
    --------
    >>> from faast import TextClassifier
    >>> model = TextClassifier().fit(["lost my card", "top up failed"], ["card", "top_up"])
    >>> model.predict(["where is my card?"]).tolist()
    ['card']
    """

    _default_encoder: ClassVar[str | None] = "hashing"
    _required_modality: ClassVar[Modality | None] = "text"


class ImageClassifier(EncodedClassifier):
    """Classification of images in closed form; as `TextClassifier` otherwise.

    Parameters
    ----------
    encoder : str or Encoder, optional
        "pixels", the default, needs no weights and serves small images; "clip:NAME" knows meanings,
        names of classes included.
    labels, class_names, cache, solver, novelty and others
        See `FaastClassifier`.

    Raises
    ------
    EncoderMismatchError
        The encoder takes no images.
    """

    _default_encoder: ClassVar[str | None] = "pixels"
    _required_modality: ClassVar[Modality | None] = "image"


CLASSIFIERS: dict[Modality, type[FaastClassifier]] = {
    "features": FaastClassifier,
    "text": TextClassifier,
    "image": ImageClassifier,
}
"""The classifier of each modality."""
