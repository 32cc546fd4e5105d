"""The encoder of a classifier: what a file says of it, and the encoder itself once it is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from faast.data.reader import Modality
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
    modality : {"text", "image", "features"}
        What rows of the classifier are.
    found : Encoder or None
        None until it is needed.
    """

    settings: dict[str, Any]
    fingerprint: str
    modality: Modality
    found: Encoder | None = None

    @classmethod
    def of(cls, encoder: str | Encoder, modality: Modality) -> OpenedEncoder:
        """Take an encoder, or load it by name.

        Raises
        ------
        EncoderMismatchError
            It takes other rows.
        """
        encoder = load_encoder(encoder) if isinstance(encoder, str) else encoder
        opened = cls(encoder.settings, encoder.fingerprint, modality)
        opened.use(encoder)
        return opened

    @classmethod
    def from_metadata(cls, metadata: dict[str, Any], modality: Modality) -> OpenedEncoder:
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
        return cls(settings, str(metadata["fingerprint"]), modality)

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
            What loads by these settings is another encoder now, or none.
        """
        if self.found is not None:
            return self.found
        try:
            encoder = load_encoder(**self.settings, fingerprint=self.fingerprint)
        except EncoderMismatchError:
            raise
        except ValueError as error:
            raise EncoderMismatchError(
                f"the settings {self.settings} that the model keeps fit no encoder: {error}"
            ) from error
        self.use(encoder)
        return encoder

    def use(self, encoder: Encoder) -> None:
        """Take an encoder that was loaded elsewhere.

        Raises
        ------
        EncoderMismatchError
            It is not the encoder that rows were learned with, or takes other rows.
        """
        if encoder.modality != self.modality:
            raise EncoderMismatchError(
                f"the classifier takes {self.modality} rows, encoder {encoder.name!r} takes "
                f"{encoder.modality} rows"
            )
        if encoder.fingerprint != self.fingerprint:
            raise EncoderMismatchError(
                f"the model was learned with encoder {self.name!r} of fingerprint "
                f"{self.fingerprint}, got {encoder.name!r} of fingerprint {encoder.fingerprint}; "
                f"load_encoder(**{self.settings}) gives the right one"
            )
        self.found = encoder
