"""Measure all that results/labels.md shows, or the sections that are named, and write the page.

Run ``python -m benchmarks.labels [SECTION ...] [--quick]``. A module of this package that has
``TITLE`` and ``measure(quick) -> lines of Markdown`` is a section; sections that are not measured
stay as the page has them.
"""

from __future__ import annotations

import argparse
import re
from importlib import import_module
from pkgutil import iter_modules

from benchmarks import labels
from benchmarks._lib.paths import RESULTS
from benchmarks._lib.report import provenance, write_page
from faast.evaluation.measure import one_thread

ORDER = ("several", "wrong", "next_rows", "unknown", "numbers")
INTRODUCTION = """# Labels

How well wrong labels are found, rows are chosen for labelling, several labels a row are answered and answers
are withheld, beside other methods on the same features. `python -m benchmarks.labels` measures everything
anew, `python -m benchmarks.labels SECTION` one section."""


def sections() -> list[str]:
    """Return the names of the sections that exist, in the order of the page."""
    found = {module.name for module in iter_modules(labels.__path__)}
    return [name for name in ORDER if name in found]


def marked(name: str, text: str) -> str:
    return f"<!-- section: {name} -->\n{text.strip()}\n<!-- /section -->\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*sections(), []], default=[])
    parser.add_argument("--quick", action="store_true", help="fewer draws, to results/quick")
    given = parser.parse_args()
    one_thread()
    folder = RESULTS / "quick" if given.quick else RESULTS
    page = folder / "labels.md"
    page.parent.mkdir(exist_ok=True)
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    shown = dict(re.findall(r"<!-- section: (\w+) -->\n(.*?)<!-- /section -->", old, re.DOTALL))
    for name in given.sections or sections():
        module = import_module(f"benchmarks.labels.{name}")
        lines = "\n".join(module.measure(given.quick)).strip()
        command = f"python -m benchmarks.labels {name}" + (" --quick" if given.quick else "")
        shown[name] = f"## {module.TITLE}\n\n{lines}\n\n{provenance(command)}"
    write_page(page, [INTRODUCTION, ""] + [marked(n, shown[n]) for n in ORDER if n in shown])


if __name__ == "__main__":
    main()
