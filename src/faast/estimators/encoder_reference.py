"""Reference to an encoder by settings and fingerprint; it is loaded when first needed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faast.data.reader import Modality
from faast.encoders import CachedEncoder, Encoder, EncoderMismatchError, load_encoder
from faast.encoders.base import Features

FILE_SETTINGS = frozenset({"name", "revision", "dtype", "prompt", "pooling", "n_features"})
"""Settings that a file may hold; none of them lets a checkpoint run code."""


@dataclass
class EncoderReference:
    """Refers to an encoder by its settings and fingerprint; loads it when first needed.

    Attributes
    ----------
    settings : dict
        Keyword arguments of `load_encoder`.
    fingerprint : str
    modality : {"text", "image", "features"}
        Kind of rows that the encoder takes.
    """

    settings: dict[str, Any]
    fingerprint: str
    modality: Modality
    _opened: Encoder | None = None
    _cached: CachedEncoder | None = None

    @classmethod
    def of(cls, encoder: str | Encoder) -> EncoderReference:
        """Return a reference to an encoder; one given by name is loaded."""
        encoder = load_encoder(encoder) if isinstance(encoder, str) else encoder
        if not isinstance(encoder, Encoder):
            raise TypeError(
                f"encoder must be a name such as 'hashing' or an Encoder, got {encoder!r}"
            )
        return cls(encoder.settings, encoder.fingerprint, encoder.modality, encoder)

    @property
    def name(self) -> str:
        """The encoder's name."""
        return str(self.settings["name"])

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded on first access.

        Raises
        ------
        EncoderMismatchError
            If the settings now load an encoder of another fingerprint, or none.
        """
        if self._opened is None:
            try:
                encoder = load_encoder(**self.settings, fingerprint=self.fingerprint)
            except EncoderMismatchError:
                raise
            except ValueError as error:
                raise EncoderMismatchError(
                    f"no encoder has the settings {self.settings} that the model holds: {error}"
                ) from error
            self.use(encoder)
            return encoder
        return self._opened

    @property
    def opened(self) -> Encoder | None:
        """The encoder if it is loaded already, else None."""
        return self._opened

    def use(self, encoder: Encoder) -> None:
        """Use an encoder that was loaded elsewhere.

        Raises
        ------
        EncoderMismatchError
            If it takes another kind of rows, or its fingerprint is not that of the reference.
        """
        _require_modality(encoder.name, encoder.modality, self.modality)
        if encoder.fingerprint != self.fingerprint:
            raise EncoderMismatchError(
                f"the model was learned with encoder {self.name!r} of fingerprint "
                f"{self.fingerprint}, got {encoder.name!r} of fingerprint {encoder.fingerprint}; "
                f"load_encoder(**{self.settings}) gives the right one"
            )
        self._opened = encoder

    def require_modality(self, modality: Modality | None) -> None:
        """Raise EncoderMismatchError if the encoder takes rows of another kind."""
        if modality is not None:
            _require_modality(self.name, self.modality, modality)

    def encode_to_learn(
        self, rows: Iterable[Any], cache: str | os.PathLike[str] | None, *, progress: bool = False
    ) -> Features:
        """Encode rows, keeping their features in the folder `cache` if one is given."""
        return self._learning(cache).encode(rows, progress=progress)

    def recall(self, rows: Iterable[Any], cache: str | os.PathLike[str] | None) -> Features:
        """Return the features that rows were learned with.

        Raises
        ------
        RowsNotLearnedError
            If they are not known: the encoder gives slightly different features in another batch,
            and no cache kept them.
        """
        return self._learning(cache).recall(rows)

    def to_metadata(self) -> dict[str, Any]:
        """Return the JSON object that a file holds."""
        return {
            "settings": self.settings,
            "fingerprint": self.fingerprint,
            "modality": self.modality,
        }

    @classmethod
    def from_metadata(cls, metadata: dict[str, Any]) -> EncoderReference:
        """Rebuild from what `to_metadata` returned.

        Raises
        ------
        ValueError
            If a classifier cannot have written such settings.
        """
        settings = dict(metadata["settings"])
        foreign = sorted(set(settings) - FILE_SETTINGS)
        if foreign or not isinstance(settings.get("name"), str):
            raise ValueError(f"encoder settings that cannot be trusted: {foreign or 'no name'}")
        modality, fingerprint = metadata["modality"], metadata["fingerprint"]
        if modality not in ("text", "image", "features") or not isinstance(fingerprint, str):
            raise ValueError(
                f"an encoder cannot have modality {modality!r} and fingerprint {fingerprint!r}"
            )
        return cls(settings, fingerprint, modality)

    def _learning(self, cache: str | os.PathLike[str] | None) -> Encoder:
        if cache is None:
            return self.encoder
        if self._cached is None or self._cached.folder.parent != Path(cache):
            self._cached = CachedEncoder(self.encoder, cache)
        return self._cached


def _require_modality(name: str, modality: Modality, expected: Modality) -> None:
    if modality != expected:
        raise EncoderMismatchError(
            f"the model takes {expected} rows, encoder {name!r} takes {modality} rows"
        )
