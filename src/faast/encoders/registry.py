"""Encoders by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from faast._utils.imports import import_optional
from faast.encoders.base import Encoder, EncoderMismatchError, PrecomputedEncoder
from faast.encoders.checkpoint import Checkpoint
from faast.encoders.clip import ClipEncoder
from faast.encoders.hashing import HashingEncoder
from faast.encoders.pixels import PixelsEncoder
from faast.encoders.sentence_transformers import SentenceEncoder, minilm
from faast.encoders.transformers import ImageModelEncoder, PooledEncoder, TextModelEncoder


def transformers_encoder(
    checkpoint: str,
    *,
    revision: str | None = None,
    trust_remote_code: bool = False,
    **options: Any,
) -> PooledEncoder:
    """Load a text or image model, as its configuration says.

    Parameters
    ----------
    checkpoint : str
        Hub name or folder.
    revision : str, optional
        Branch, tag or commit; what it points to now is pinned in `settings`.
    trust_remote_code : bool
        Run Python code that the checkpoint brings along.
    **options
        Of `TextModelEncoder` or `ImageModelEncoder`.

    Raises
    ------
    EncoderUnavailableError
        The checkpoint cannot be found, reached or read.
    ValueError
        It is neither a text nor an image model.
    """
    transformers = import_optional("transformers", "text")
    found = Checkpoint.resolve(checkpoint, revision, trust_remote_code, "text")
    config = found.load(transformers.AutoConfig.from_pretrained)
    # Some image models have a vocabulary too, of visual tokens, but none has text positions.
    if hasattr(config, "num_channels") and not hasattr(config, "max_position_embeddings"):
        return ImageModelEncoder(found, **options)
    if hasattr(config, "vocab_size") and not config.is_encoder_decoder:
        return TextModelEncoder(found, **options)
    towers = hasattr(config, "text_config") and hasattr(config, "vision_config")
    advice = f'it has two towers, use "clip:{checkpoint}"' if towers else "use another model"
    raise ValueError(
        f"{checkpoint!r} ({config.model_type}) is neither a text encoder nor an image model; "
        f"{advice}"
    )


PLAIN: dict[str, Callable[..., Encoder]] = {
    "hashing": HashingEncoder,
    "pixels": PixelsEncoder,
    "minilm": minilm,
    "precomputed": PrecomputedEncoder,
}
"""Encoders that are one thing."""

FAMILIES: dict[str, Callable[..., Encoder]] = {
    "st": SentenceEncoder,
    "clip": ClipEncoder,
    "hf": transformers_encoder,
}
"""Encoders that take a checkpoint after a colon."""


def load_encoder(name: str, *, fingerprint: str | None = None, **options: Any) -> Encoder:
    """Load an encoder.

    Parameters
    ----------
    name : str
        "hashing" (text, no weights), "pixels" (small images, no weights), "minilm" (text),
        "st:NAME" (sentence-transformers), "clip:NAME" (images and text: CLIP, SigLIP and
        relatives), "hf:NAME" (any text or image model of transformers), or "precomputed".
        NAME is a name on the hub or a folder.
    fingerprint : str, optional
        What the encoder's fingerprint has to be.
    **options
        Of checkpoints: `revision`, `device`, `dtype` and `trust_remote_code`; `prompt` of those
        that embed class names, `pooling` of "hf:NAME", `n_features` of "hashing" and "precomputed".

    Returns
    -------
    Encoder

    Raises
    ------
    ValueError
        Unknown name, or an option that this encoder does not have.
    ImportError
        A package is missing; the message says what to install.
    EncoderUnavailableError
        A checkpoint cannot be found, reached or read.
    EncoderMismatchError
        It has another fingerprint.

    Examples
    --------
    >>> from faast.encoders import load_encoder
    >>> encoder = load_encoder("hashing")
    >>> encoder.encode(["lost my card", "where is my card?"]).shape
    (2, 2048)
    """
    family, colon, checkpoint = name.partition(":")
    build = FAMILIES.get(family) if checkpoint else PLAIN.get(name)
    if build is None or (colon and not checkpoint):
        # Rows that are features already need none, so that one is offered to no one in doubt.
        known = [name for name in PLAIN if name != PrecomputedEncoder.name]
        known += [f"{key}:NAME" for key in FAMILIES]
        raise ValueError(f"unknown encoder {name!r}; there are {', '.join(known)}")
    arguments = (checkpoint,) if checkpoint else ()
    try:
        encoder = build(*arguments, **options)
    except TypeError as error:
        raise ValueError(f"encoder {name!r}: {error}") from error
    if fingerprint is not None and encoder.fingerprint != fingerprint:
        raise EncoderMismatchError(
            f"encoder {name!r} has fingerprint {encoder.fingerprint}, expected {fingerprint}: its "
            "weights, tokens or settings differ from those that the model was learned with; load "
            "the same revision with the same dtype"
        )
    return encoder
