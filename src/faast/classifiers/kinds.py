"""Classifiers of texts and of pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import ClassVar

from faast.classifiers.base import EncodedClassifier
from faast.encoders import Encoder
from faast.encoders.base import Modality
from faast.persistence import persistent


@persistent("text-classifier")
class TextClassifier(EncodedClassifier):
    """Classification of texts: construct, add, predict.

    Texts are encoded by a frozen encoder and learned by a `FaastClassifier`, with its promises: any
    order and batching, new classes at any time, nothing to tune, exact forgetting.

    Parameters
    ----------
    encoder : str or Encoder
        A name for `load_encoder`, or what it returned. "hashing" needs no weights; "minilm" knows
        meanings.
    labels : sequence of str
        Classes known by name before any row: what the encoder says of the names is the answer until
        rows say more.
    class_names : bool, optional
        Let the names of learned classes speak too, beside their rows. By default where the encoder
        is semantic, that is, puts a name near its rows. Names are labels that hold a letter.
    novelty : bool
        Keep what tells rows of no known class; see `FaastClassifier.novelty_score`.
    cache : path-like, optional
        Folder that keeps the features of learned rows, so that rows can be forgotten whose encoder
        gives other last bits in another batch; see `CachedEncoder`.

    Attributes
    ----------
    classifier : FaastClassifier
        On the encoder's features.
    classes_ : ndarray of shape (C,)

    Raises
    ------
    ValueError
        The encoder takes no text.

    Examples
    --------
    >>> from faast import TextClassifier
    >>> model = TextClassifier()
    >>> model = model.add(["lost my card", "top up failed"], ["card", "top_up"])
    >>> model.predict(["where is my card?"])[0].label
    'card'
    """

    modality: ClassVar[Modality] = "text"

    def __init__(
        self,
        encoder: str | Encoder = "hashing",
        labels: Sequence[str] = (),
        *,
        class_names: bool | None = None,
        novelty: bool = False,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(encoder, labels, class_names=class_names, novelty=novelty, cache=cache)


@persistent("image-classifier")
class ImageClassifier(EncodedClassifier):
    """Classification of pictures; as `TextClassifier` otherwise.

    Parameters
    ----------
    encoder : str or Encoder
        "pixels" needs no weights and serves small pictures; "clip:NAME" knows meanings, names of
        classes included.
    labels, class_names, novelty, cache
        See `TextClassifier`.

    Raises
    ------
    ValueError
        The encoder takes no pictures, or embeds no names while `labels` are given.
    """

    modality: ClassVar[Modality] = "image"

    def __init__(
        self,
        encoder: str | Encoder = "pixels",
        labels: Sequence[str] = (),
        *,
        class_names: bool | None = None,
        novelty: bool = False,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(encoder, labels, class_names=class_names, novelty=novelty, cache=cache)
