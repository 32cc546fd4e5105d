"""Write the tables and the picture that README and docs show, from the csv files of results/.

Run ``python -m benchmarks.pages``. A table stands between the marks ``<!-- table: NAME -->`` and
``<!-- /table -->`` of a page; tests/docs/test_docs.py checks that it is what was measured.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import mean

from benchmarks._lib.paths import REPOSITORY, RESULTS

PAGES = (REPOSITORY / "docs" / "index.md", REPOSITORY / "docs" / "choosing.md")
MARKS = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- /table -->)", re.DOTALL)
PICTURE = RESULTS / "features" / "accuracy_time.png"

OURS = "faast"
METHODS = {
    OURS: "**faast, default arguments**",
    "gda": "GDA",
    "logistic": "logistic regression, C by cross-validation",
    "ridge-cv": "ridge, strength by leave-one-out",
    "kernel-svm": "kernel SVM, C by cross-validation",
    "random-relu-ridge": "random-ReLU ridge",
    "linear-projection": "linear projection by backprop",
    "paper-faast": "the paper's pseudo-inverse",
}
CLIP_SETS = ("caltech101", "oxford_flowers", "oxford_pets")
TEXT_SETS = {"banking77": 77, "trec": 6, "sst2": 2, "imdb": 2}
"""Sets of texts, with their numbers of classes."""


def read(name: str) -> list[dict[str, str]]:
    """Return the rows of one csv file of results/features."""
    with (RESULTS / "features" / f"{name}.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def few_shot(what: str, prior: bool = False) -> dict[tuple[str, str, int], float]:
    """Return one column of the few-shot results by (set, method, shots), mean over draws."""
    found = defaultdict(list)
    for row in read("few_shot"):
        if row["prior"] == str(prior):
            found[row["set"], row["method"], int(row["shots"])].append(float(row[what]))
    return {key: mean(values) for key, values in found.items()}


def over_sets(what: str, method: str, shots: int) -> float:
    found = few_shot(what)
    return mean(found[name, method, shots] for name in CLIP_SETS)


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows), ""])


# -- the tables --------------------------------------------------------------------------------


def methods() -> str:
    """Compare methods on frozen CLIP features: accuracy at some shots, and time to adapt."""
    shots = (1, 4, 16)
    header = ["method", *map(shots_title, shots), "seconds"]
    rows = [
        [
            title,
            *(f"{over_sets('accuracy', method, n):.1f}" for n in shots),
            f"{over_sets('seconds', method, 16):.2g}",
        ]
        for method, title in METHODS.items()
    ]
    return markdown(header, rows)


def texts() -> str:
    """Tell the accuracy on texts with `minilm`: by rows of a class, without and with names."""
    shots = (1, 4, 16)
    plain, named = few_shot("accuracy"), few_shot("accuracy", prior=True)
    full = {(row["set"], row["method"]): row for row in read("full_data")}
    rows = []
    for name, n_classes in TEXT_SETS.items():
        whole = full[name, OURS]
        rows.append([
            name,
            f"{n_classes}",
            *(f"{plain[name, OURS, n]:.1f} / {named[name, OURS, n]:.1f}" for n in shots),
            f"{float(whole['accuracy']):.1f} ({int(whole['rows']):,} rows)",
        ])  # fmt: skip
    return markdown(["texts", "classes", *map(shots_title, shots), "all rows"], rows)


def images() -> str:
    """Tell the accuracy on photographs with CLIP features, by rows of a class."""
    shots = (1, 2, 4, 8, 16)
    found = few_shot("accuracy")
    rows = [[name, *(f"{found[name, OURS, n]:.1f}" for n in shots)] for name in CLIP_SETS]
    return markdown(["images", *map(shots_title, shots)], rows)


def all_rows() -> str:
    """Set our accuracy on all rows beside the best other method's."""
    rows = []
    by_set = defaultdict(dict)
    for row in read("full_data"):
        by_set[row["set"]][row["method"]] = row
    for name, found in by_set.items():
        if name.endswith("with prior"):
            continue
        ours = found[OURS]
        others = {m: float(r["accuracy"]) for m, r in found.items() if not m.startswith("faast")}
        best = max(others, key=others.__getitem__)
        rows.append([
            name,
            f"{int(ours['rows']):,}",
            f"{float(ours['accuracy']):.1f}",
            f"{others[best]:.1f} ({best})",
            f"{float(ours['ece']):.1f}",
            f"{float(ours['seconds']):.3g}",
            f"{float(found[best]['seconds']):.3g}",
        ])  # fmt: skip
    header = ["set", "rows", "faast (%)", "best other (%)", "calibration error (%)", "seconds",
              "its seconds"]  # fmt: skip
    return markdown(header, rows)


TABLES: dict[str, Callable[[], str]] = {
    table.__name__: table for table in (methods, texts, images, all_rows)
}


def shots_title(shots: int) -> str:
    return f"{shots} shot{'s' * (shots > 1)}"


def filled(page: str) -> str:
    """Return a page with the tables between its marks written anew."""
    return MARKS.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}{found[3]}", page)


# -- the picture -------------------------------------------------------------------------------


def draw(path: Path) -> None:
    """Draw accuracy against seconds to adapt, one line a method from 1 to 16 shots."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    shots = (1, 2, 4, 8, 16)
    figure, axis = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    for method, title in METHODS.items():
        axis.plot(
            [over_sets("seconds", method, n) for n in shots],
            [over_sets("accuracy", method, n) for n in shots],
            color="black" if method == OURS else None,
            linewidth=2.5 if method == OURS else 1.2,
            marker="o" if method == OURS else ".",
            zorder=3 if method == OURS else 2,
            label=title.strip("*").partition(",")[0],
        )
    axis.set(
        xscale="log",
        xlabel="seconds to adapt, one thread",
        ylabel="accuracy (%)",
        title="Frozen CLIP features, mean of three sets, 1 to 16 rows a class",
    )
    axis.grid(alpha=0.3)
    axis.legend(loc="lower right", fontsize="small")
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    """Fill the tables of all pages and draw the picture."""
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
    draw(PICTURE)


if __name__ == "__main__":
    main()
