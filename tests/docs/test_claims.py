"""docs/claims.md says what the pages it links to say, and its commands are there."""

import json
import re
from pathlib import Path

import pytest

from benchmarks import check_claims

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "claims.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text().splitlines()
    if re.match(r"\| (?!claim|promise)", line)
]
LINK = re.compile(r"\[[^]]*\]\(([^)]+)\)")
FIGURE = re.compile(r"(?<![\w.,-])[+-]?\d+(?:,\d{3})*(?:\.\d+)?")


def stands_in(figure, text):
    return re.search(rf"(?<![\d.,]){re.escape(figure)}(?![.,]?\d)", text) is not None


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:40] for row in ROWS])
def test_every_figure_stands_on_a_page_of_its_row(row):
    _, _, measured, _, holds = row
    links = LINK.findall(measured)
    assert links, "name the page of results"
    text = "\n".join((PAGE.parent / link).read_text() for link in links)
    figures = FIGURE.findall(LINK.sub("", f"{measured} {holds}"))
    assert not [figure for figure in figures if not stands_in(figure, text)]


@pytest.mark.parametrize(
    ("figure", "found"),
    [("0.34", True), ("99.7", False), ("99.72", True), ("1,000", False), ("72", False)],
)
def test_a_part_of_a_number_is_another_number(figure, found):
    assert stands_in(figure, "0.34 of 99.72 at 1,000,000") is found


def test_commands_are_there():
    modules = set(re.findall(r"python -m (benchmarks[.\w]+)", PAGE.read_text()))
    assert modules
    for module in modules:
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file(), module


def test_quick_figures_are_held_to_their_intervals(tmp_path):
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "page.json").write_text(json.dumps({"near": 2.0, "far": 9.0}))
    claims = "`page.near` 1 to 3; `page.far` -1.5 to 3, `other.gone` 0 to 1"
    assert [held for *_, held in check_claims.checked(claims, tmp_path)] == [True, False, True]
    assert check_claims.INTERVAL.search(PAGE.read_text())
