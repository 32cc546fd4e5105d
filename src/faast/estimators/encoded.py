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
    """`FaastClassifier` for raw rows: the encoder comes first and has a default."""

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
    """Closed-form classifier of texts: `fit`, `predict`, `forget`.

    A scikit-learn estimator for lists, Series and arrays of texts. It is a `FaastClassifier` on the
    features of a frozen encoder and shares its properties: the order and batching of rows do not
    matter, new classes may come at any time, nothing has to be tuned, and forgetting is exact.

    Parameters
    ----------
    encoder : str or Encoder, optional
        A name for `load_encoder`, or an encoder. "hashing", the default, needs no weights;
        "minilm" is semantic.
    labels, class_names, cache, solver, novelty and others
        See `FaastClassifier`.

    Raises
    ------
    EncoderMismatchError
        If the encoder does not take texts; raised when it is first used.

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
    """Closed-form classifier of images; otherwise like `TextClassifier`.

    Parameters
    ----------
    encoder : str or Encoder, optional
        "pixels", the default, needs no weights and suits small images; "clip:NAME" is semantic and
        can also embed the names of classes.
    labels, class_names, cache, solver, novelty and others
        See `FaastClassifier`.

    Raises
    ------
    EncoderMismatchError
        If the encoder does not take images; raised when it is first used.
    """

    _default_encoder: ClassVar[str | None] = "pixels"
    _required_modality: ClassVar[Modality | None] = "image"


CLASSIFIERS: dict[Modality, type[FaastClassifier]] = {
    "features": FaastClassifier,
    "text": TextClassifier,
    "image": ImageClassifier,
}
"""The classifier class of each modality."""
