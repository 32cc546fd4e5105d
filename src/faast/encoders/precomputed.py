"""Rows that are features already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from faast.encoders.base import Encoder, Features, Modality, digest_of, unit_rows


class PrecomputedEncoder(Encoder):
    """Scale given feature rows to unit norm.

    Parameters
    ----------
    n_features : int, optional
        Width of the rows; the first rows decide when it is not given.
    """

    modality: Modality = "features"
    reproducible = True
    name = "precomputed"

    def __init__(self, n_features: int | None = None) -> None:
        self._n_features = n_features

    @property
    def n_features(self) -> int:
        """Columns of the features.

        Raises
        ------
        ValueError
            Not given, and no rows seen yet.
        """
        if self._n_features is None:
            raise ValueError(
                "the width of precomputed features is unknown until the first rows; pass n_features"
            )
        return self._n_features

    @property
    def fingerprint(self) -> str:
        """The same for all precomputed features: where they came from is the caller's to know."""
        return digest_of("precomputed")

    @property
    def settings(self) -> dict[str, Any]:
        """See `Encoder.settings`."""
        return {"name": self.name, "n_features": self._n_features}

    def encode_window(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        """See `Encoder.encode_window`.

        Raises
        ------
        ValueError
            Rows of different widths, of another width than before, not numeric, zero or not finite.
        """
        try:
            table = np.asarray(rows, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"feature rows must be numbers, all of one width: {error}") from error
        if table.ndim != 2 or table.shape[1] != (self._n_features or table.shape[1]):
            width = "columns" if self._n_features is None else self._n_features
            raise ValueError(f"feature rows must have shape (n, {width}), got {table.shape}")
        self._n_features = table.shape[1]
        return unit_rows(table, numbers)
