"""Whether the figures of a quick run lie in the intervals that docs/claims.md states for them.

Run ``make bench-quick``, or ``python benchmarks/check_claims.py`` after some of the quick scripts; it
prints a line a figure and exits with 1 if one lies outside.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from report import RESULTS

CLAIMS = RESULTS.parent / "docs" / "claims.md"
INTERVAL = re.compile(r"`(\w+)\.(\w+)` (-?[\d.]+) to (-?[\d.]+)")


def checked(claims: str, folder: Path) -> Iterator[tuple[str, float | None, bool]]:
    """Yield each named figure, its value if it was measured, and whether it lies where it should."""
    for page, name, low, high in INTERVAL.findall(claims):
        file = folder / f"{page}.json"
        measured = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
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
