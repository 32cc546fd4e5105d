"""Check that the figures of a quick run lie in the intervals that docs/claims.md states.

Run ``make bench-quick``, or ``python -m benchmarks.check_claims`` after some of the quick scripts; it
prints a line a figure and exits with 1 if one lies outside.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks._lib.paths import REPOSITORY, RESULTS

CLAIMS = REPOSITORY / "docs" / "claims.md"
INTERVAL = re.compile(r"`(\w+)\.(\w+)` (-?[\d.]+) to (-?[\d.]+)")


def checked(claims: str, folder: Path) -> Iterator[tuple[str, float | None, bool]]:
    """Yield each named figure, its value where it was measured, and whether it lies inside."""
    for page, name, low, high in INTERVAL.findall(claims):
        files = folder.rglob(f"{page}.json")
        measured = {k: v for file in files for k, v in json.loads(file.read_text()).items()}
        value = measured.get(name)
        told = f"{page}.{name} in {low} to {high}"
        yield told, value, value is None or float(low) <= value <= float(high)


def main() -> None:
    missed = 0
    for told, value, held in checked(CLAIMS.read_text(encoding="utf-8"), RESULTS / "quick"):
        missed += not held
        state = "not measured" if value is None else f"{value:.4g}" + ("" if held else ": OUTSIDE")
        print(f"{told}: {state}")
    sys.exit(missed > 0)


if __name__ == "__main__":
    main()
