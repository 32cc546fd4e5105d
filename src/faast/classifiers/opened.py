"""The encoder of a classifier: what a file says of it, and the encoder itself once it is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from faast.encoders import Encoder, EncoderMismatchError, load_encoder

KEPT = frozenset({"name", "revision", "dtype", "prompt", "pooling", "n_features"})
"""Settings that a file may hold. Running code that a checkpoint brings is never one of them."""


@dataclass
class OpenedEncoder:
    """An encoder by its settings and fingerprint.

    Attributes
    ----------
    settings : dict
        For `load_encoder`.
    fingerprint : str
    found : Encoder or None
        None until it is needed.
    """

    settings: dict[str, Any]
    fingerprint: str
    found: Encoder | None = None

    @classmethod
    def of(cls, encoder: str | Encoder) -> OpenedEncoder:
        """Take an encoder, or load it by name."""
        encoder = load_encoder(encoder) if isinstance(encoder, str) else encoder
        return cls(encoder.settings, encoder.fingerprint, encoder)

    @classmethod
    def from_metadata(cls, metadata: dict[str, Any]) -> OpenedEncoder:
        """Restore what `to_metadata` returned.

        Raises
        ------
        ValueError
            Settings that no classifier writes.
        """
        settings = dict(metadata["settings"])
        foreign = sorted(set(settings) - KEPT)
        if foreign or not isinstance(settings.get("name"), str):
            raise ValueError(f"encoder settings that cannot be trusted: {foreign or 'no name'}")
        return cls(settings, str(metadata["fingerprint"]))

    def to_metadata(self) -> dict[str, Any]:
        """Return what a file keeps."""
        return {"settings": self.settings, "fingerprint": self.fingerprint}

    @property
    def name(self) -> str:
        """The encoder's name."""
        return str(self.settings["name"])

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded when first asked for.

        Raises
        ------
        EncoderMismatchError
            What loads by these settings is another encoder now.
        """
        if self.found is None:
            self.found = load_encoder(**self.settings, fingerprint=self.fingerprint)
        return self.found

    def use(self, encoder: Encoder) -> None:
        """Take an encoder that was loaded elsewhere.

        Raises
        ------
        EncoderMismatchError
            It is not the encoder that rows were learned with.
        """
        if encoder.fingerprint != self.fingerprint:
            raise EncoderMismatchError(
                f"the model was learned with encoder {self.name!r} of fingerprint "
                f"{self.fingerprint}, got {encoder.name!r} of fingerprint {encoder.fingerprint}; "
                f"load_encoder(**{self.settings}) gives the right one"
            )
        self.found = encoder
