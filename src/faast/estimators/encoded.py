"""Classifiers and regressors of texts and of images: an encoder comes first and has a default."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from typing import ClassVar

from faast._utils.arrays import AnyArray
from faast.data.reader import Modality
from faast.encoders import Encoder
from faast.estimators.classifier import FaastClassifier
from faast.estimators.memory import SELECTION_ROWS
from faast.estimators.regressor import FaastRegressor
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


class EncodedRegressor(FaastRegressor):
    """`FaastRegressor` for raw rows: the encoder comes first and has a default."""

    def __init__(
        self,
        encoder: str | Encoder | None = None,
        *,
        cache: str | os.PathLike[str] | None = None,
        solver: Solver | str = "auto",
        selection_rows: int = SELECTION_ROWS,
        key_scale: float | AnyArray | None = None,
        value_scale: float | AnyArray | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            solver,
            encoder=encoder,
            cache=cache,
            selection_rows=selection_rows,
            key_scale=key_scale,
            value_scale=value_scale,
            verbose=verbose,
        )


class TextRegressor(EncodedRegressor):
    """Closed-form regression from texts to one or several numbers.

    A scikit-learn estimator for lists, Series and arrays of texts. It is a `FaastRegressor` on the
    features of a frozen encoder and shares its properties: the order and batching of rows do not
    matter, nothing has to be tuned, intervals come with the predictions, and forgetting is exact.

    Parameters
    ----------
    encoder : str or Encoder, optional
        A name for `load_encoder`, or an encoder. "hashing", the default, needs no weights;
        "minilm" is semantic.
    cache, solver, selection_rows, key_scale, value_scale, verbose
        See `FaastRegressor`.

    Raises
    ------
    EncoderMismatchError
        If the encoder does not take texts; raised when it is first used.

    Examples
    --------
    >>> from faast import TextRegressor
    >>> texts = ["one room", "two rooms", "three rooms", "four rooms and a garden"]
    >>> model = TextRegressor().fit(texts, [500, 700, 900, 1400])
    >>> bool(model.predict(["four rooms"]) > model.predict(["one room"]))
    True
    """

    _default_encoder: ClassVar[str | None] = "hashing"
    _required_modality: ClassVar[Modality | None] = "text"


class ImageRegressor(EncodedRegressor):
    """Closed-form regression from images to numbers; otherwise like `TextRegressor`.

    Parameters
    ----------
    encoder : str or Encoder, optional
        "pixels", the default, needs no weights and suits small images.
    cache, solver, selection_rows, key_scale, value_scale, verbose
        See `FaastRegressor`.

    Raises
    ------
    EncoderMismatchError
        If the encoder does not take images; raised when it is first used.
    """

    _default_encoder: ClassVar[str | None] = "pixels"
    _required_modality: ClassVar[Modality | None] = "image"


REGRESSORS: dict[Modality, type[FaastRegressor]] = {
    "features": FaastRegressor,
    "text": TextRegressor,
    "image": ImageRegressor,
}
"""The regressor class of each modality."""

CLASSIFIERS: dict[Modality, type[FaastClassifier]] = {
    "features": FaastClassifier,
    "text": TextClassifier,
    "image": ImageClassifier,
}
"""The classifier class of each modality."""
