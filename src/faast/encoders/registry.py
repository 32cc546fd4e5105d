"""Encoders by name."""

from __future__ import annotations

import pkgutil
from typing import Any

from faast.encoders.base import Encoder, EncoderMismatchError

_ENCODERS = {
    "hashing": "faast.encoders.hashing:HashingEncoder",
    "pixels": "faast.encoders.pixels:PixelsEncoder",
    "minilm": "faast.encoders.sentence_transformers:load_minilm",
    "st:": "faast.encoders.sentence_transformers:SentenceEncoder.from_pretrained",
    "clip:": "faast.encoders.clip:ClipEncoder.from_pretrained",
    "hf:": "faast.encoders.transformers:load_transformers_encoder",
}
"""What makes each encoder. The name of a checkpoint follows a name that ends in a colon."""


def encoder_names() -> list[str]:
    """Return the names that `load_encoder` knows; a checkpoint follows those that end in ":"."""
    return list(_ENCODERS)


def load_encoder(name: str, *, fingerprint: str | None = None, **options: Any) -> Encoder:
    """Load an encoder by name.

    Parameters
    ----------
    name : str
        - "hashing": text, without weights.
        - "pixels": small images, without weights.
        - "minilm": text, all-MiniLM-L6-v2.
        - "st:NAME": text, a model of sentence-transformers.
        - "clip:NAME": images and class names, a two-tower model such as CLIP or SigLIP.
        - "hf:NAME": text or images, a model of transformers.

        NAME is a name on the Hugging Face hub or the path of a folder.
    fingerprint : str, optional
        The fingerprint that the encoder must have.
    **options
        Arguments of the encoder. "hashing" takes `n_features`. All encoders of checkpoints take
        `revision`, `device`, `dtype`, `trust_remote_code` and `allow_pickle`, those that
        embed class names also `prompt`, and "hf:NAME" also `pooling`.

    Returns
    -------
    Encoder

    Raises
    ------
    ValueError
        If the name is unknown, or the encoder does not take an option or its value.
    ImportError
        If a package is missing; the message says what to install.
    EncoderUnavailableError
        If a checkpoint cannot be found, reached or read.
    EncoderMismatchError
        If the encoder has another fingerprint.

    Examples
    --------
    >>> from faast.encoders import load_encoder
    >>> encoder = load_encoder("hashing")
    >>> encoder.encode(["lost my card", "where is my card?"]).shape
    (2, 2048)
    """
    prefix, colon, checkpoint = name.partition(":")
    factory = _ENCODERS.get(prefix + colon)
    if factory is None or bool(colon) != bool(checkpoint):
        known = [f"{known}NAME" if known.endswith(":") else known for known in _ENCODERS]
        raise ValueError(f"unknown encoder {name!r}; the encoders are {', '.join(known)}")
    arguments = (checkpoint,) if checkpoint else ()
    try:
        encoder: Encoder = pkgutil.resolve_name(factory)(*arguments, **options)
    except TypeError as error:
        raise ValueError(f"encoder {name!r}: {error}") from error
    if fingerprint is not None and encoder.fingerprint != fingerprint:
        raise EncoderMismatchError(
            f"encoder {name!r} has fingerprint {encoder.fingerprint}, expected {fingerprint}: its "
            "weights, tokens or settings differ from those that the model was learned with; load "
            "the same revision with the same dtype"
        )
    return encoder
