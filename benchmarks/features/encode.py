"""Encode the texts that other benchmarks read, once and on all processors.

Run ``python -m benchmarks.features.encode``; it fills the cache of `benchmarks._lib.paths`, and does
nothing where that is full. Pages that run side by side would encode the same texts twice.
"""

from __future__ import annotations

import sys

from benchmarks._lib.datasets import TEXT, load


def main() -> None:
    _, absent = load(TEXT)
    for line in absent:
        print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
