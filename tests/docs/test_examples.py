"""The programs of examples/ run, and say what their docstrings promise."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SAYS = {
    "features": ["the same forgotten:   True"],
    "texts": ["answer: card", "new:    account", "same file after forgetting: True"],
    "images": ["columns: columns", "rows: rows"],
    "serve": ["24 rows learned, 7 wait for a label", "faast serve "],
    "language_model": ["continued:         the ki", "folded, the same:  True"],
}
NEEDS = {"images": ["PIL"], "serve": ["fastapi"], "language_model": ["torch", "transformers"]}


def test_every_example_is_tested():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_example(name, capsys, monkeypatch):
    for package in NEEDS.get(name, []):
        pytest.importorskip(package)
    path = EXAMPLES / f"{name}.py"
    assert len(path.read_text().splitlines()) < 60
    monkeypatch.setattr("sys.argv", [str(path)])
    runpy.run_path(str(path), run_name="__main__")
    printed = capsys.readouterr().out
    for line in SAYS[name]:
        assert line in printed
