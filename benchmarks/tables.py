"""Write the table of the README from results/features/few_shot.csv; tests/docs/test_docs.py holds them together."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from pathlib import Path
from statistics import mean

from benchmarks._lib.paths import REPOSITORY, RESULTS

MARKS = re.compile(r"(<!-- results -->\n).*?(<!-- /results -->)", re.DOTALL)
METHODS = {
    "faast": "**faast, default arguments**",
    "gda": "GDA",
    "logistic": "logistic regression, C by cross-validation",
    "ridge-cv": "ridge, strength by leave-one-out",
    "kernel-svm": "kernel SVM, C by cross-validation",
    "random-relu-ridge": "random-ReLU ridge",
    "linear-projection": "linear projection by backprop",
    "paper-faast": "the paper's pseudo-inverse",
}
SHOTS = (1, 4, 16)
CLIP_SETS = ("caltech101", "oxford_flowers", "oxford_pets")


def table(results: Path = RESULTS / "features") -> str:
    """Return the table: mean accuracy on frozen CLIP features, and seconds to adapt."""
    accuracy, seconds = defaultdict(list), defaultdict(list)
    with (results / "few_shot.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["prior"] == "False" and row["set"] in CLIP_SETS:
                key = row["method"], int(row["shots"])
                accuracy[key].append(float(row["accuracy"]))
                seconds[key].append(float(row["seconds"]))
    lines = [
        "Accuracy (%) on frozen CLIP features, mean of three sets; seconds to adapt at 16 shots "
        "(up to 1,632 rows of 512 numbers, 102 classes), one thread:",
        "",
        "| method | " + " | ".join(f"{n} shot{'s' * (n > 1)}" for n in SHOTS) + " | seconds |",
        "|---|" + "---|" * (len(SHOTS) + 1),
    ]
    for method, name in METHODS.items():
        cells = [f"{mean(accuracy[method, shots]):.1f}" for shots in SHOTS]
        lines.append(f"| {name} | {' | '.join(cells)} | {mean(seconds[method, 16]):.2g} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Replace what stands between the marks."""
    page = REPOSITORY / "README.md"
    page.write_text(MARKS.sub(rf"\g<1>{table()}\g<2>", page.read_text()))


if __name__ == "__main__":
    main()
