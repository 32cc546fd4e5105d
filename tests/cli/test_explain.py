"""`faast explain`: words, regions and columns that speak for a label, as text, JSON and image."""

import numpy as np
import pytest

from faast import ImageClassifier, TextClassifier

TEXTS = ["my card is lost", "the card never came", "top up failed", "my top up is pending"]
LABELS = ["card", "card", "top_up", "top_up"]


@pytest.fixture
def folder(tmp_path):
    TextClassifier().fit(TEXTS, LABELS).save(tmp_path / "model")
    return tmp_path


def test_words_with_their_effects(folder, facts, ran):
    asked = ("explain", "model", "--row", "where is my card")
    found = facts(*asked, cwd=folder)
    assert (found["label"], found["against"], found["exact"]) == ("card", "top_up", True)
    assert [part["name"] for part in found["parts"]] == ["where", "is", "my", "card"]
    total = sum(part["effect"] for part in found["parts"])
    assert total + found["rest"] == pytest.approx(found["lead"])
    assert np.exp(found["lead"]) == pytest.approx(
        found["probability"] / found["against_probability"]
    )
    shown = ran(*asked, cwd=folder)
    assert "for 'card' (+) and for 'top_up' (-)" in shown
    assert "\x1b" not in shown  # no colours in a pipe
    first = next(line for line in shown.splitlines() if line.startswith("│ "))
    assert "card" in first
    assert "+" * 20 in first


def test_the_other_way_round(folder, facts):
    found = facts("explain", "model", "--row", "my card", "--label", "top_up", cwd=folder)
    assert (found["label"], found["against"]) == ("top_up", "card")
    assert found["lead"] < 0


def test_words_are_coloured_on_a_terminal(folder, ran, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = ran("explain", "model", "--row", "my card \x1b[31m", cwd=folder)
    assert "\x1b[1;32mcard" in shown
    assert "\\x1b[31m" in shown  # what the row holds commands no terminal


def test_columns_and_regions_are_drawn(tmp_path, facts, ran):
    pytest.importorskip("matplotlib")
    pil = pytest.importorskip("PIL.Image")
    (tmp_path / "t.csv").write_text(
        "age,income,label\n" + "\n".join(f"{i},{i % 3},{int(i > 20)}" for i in range(40))
    )
    ran("learn", "t.csv", "-o", "table", cwd=tmp_path)
    found = facts("explain", "table", "--row", "30,1", "--plot", "t.png", cwd=tmp_path)
    assert [part["name"] for part in found["parts"]] == ["age", "income"]
    assert found["parts"][0]["effect"] > abs(found["parts"][1]["effect"])
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (8, 32, 32, 3), dtype=np.uint8)
    ImageClassifier().fit(list(images), [0, 1] * 4).save(tmp_path / "images")
    pil.fromarray(images[0]).save(tmp_path / "one.png")
    found = facts("explain", "images", "--row", "one.png", "--plot", "i.png", cwd=tmp_path)
    assert len(found["parts"]) == 64
    for name in ("t.png", "i.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--label", "cards"), "'cards' is no class of the model"),
        (("--label", "card", "--against", "card"), "cannot be compared with itself"),
        (("--plot", "x.docx"), "must end in one of"),
    ],
)
def test_refusals_say_what_to_do(folder, run, options, message):
    done = run("explain", "model", "--row", "my card", *options, cwd=folder)
    assert done.exit_code == 1
    assert message in done.stderr
