"""Measurements of other methods, kept between runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._lib.paths import CACHE
from faast.evaluation import baselines
from faast.evaluation.measure import Measurement, measure


class Archive:
    """Keep measurements of other methods on disk, one folder a version of their sources.

    Parameters
    ----------
    reuse : bool
        Return a kept measurement where there is one. New measurements are kept in any case.
    """

    def __init__(self, reuse: bool) -> None:
        self.reuse = reuse
        self.reused = 0
        sources = sorted((Path(baselines.__file__).parent).glob("*.py"))
        digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
        self._folder = CACHE / "measured" / digest[:16]

    def measure(
        self, key: str, make: Callable[[], Any], support: tuple, test: tuple
    ) -> Measurement:
        """Return the measurement kept under the key, or measure and keep it."""
        file = self._folder / f"{key}.npz"
        if self.reuse and file.exists():
            self.reused += 1
            with np.load(file) as kept:
                return Measurement(
                    kept["hits"], float(kept["ece"]), float(kept["seconds"]), int(kept["bytes"])
                )
        done = measure(make, support, test)
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, **asdict(done))
        return done
