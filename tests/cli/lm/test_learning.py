"""What `faast lm learn` says to people, and what `faast lm forget` takes back."""

import io
import json
import re

import numpy as np
import pytest
from rich.console import Console

from faast.cli.lm._learning import MOST_HELD_OUT, AllButTheEnd
from faast.core.persistence import load
from tests.cli.lm.conftest import WORDS

EXACT = {"recall": ("--memory", "recall"), "exact": ("--memory", "pseudoinverse")}


@pytest.mark.parametrize(
    ("n_windows", "n_held_out"), [(0, 0), (1, 0), (9, 0), (10, 1), (99, 9), (640, 64), (2000, 64)]
)
def test_the_last_tenth_is_kept_back_up_to_a_limit(n_windows, n_held_out):
    windows = AllButTheEnd(iter(range(n_windows)))
    assert [*windows, *windows.end] == list(range(n_windows))
    assert len(windows.end) == n_held_out <= MOST_HELD_OUT


def test_people_are_told_what_was_gained_and_what_can_be_forgotten(folder, run):
    done = run("lm", "learn", "stories", "plays.txt", "-o", "plays", "--window", "16", cwd=folder)
    gain, forgetting = done.stderr.strip().splitlines()
    found = re.fullmatch(
        r"On the last (\d+) windows of the text, before they were learned: perplexity "
        r"(\S+) before, (\S+) after learning the rest \(lower is better\)\.",
        gain,
    )
    assert int(found[1]) == 1
    assert float(found[3]) < 0.9 * float(found[2])
    assert "cannot forget a single text" in forgetting
    assert "--memory recall" in forgetting


def test_the_gain_is_the_one_that_perplexity_measures(folder, facts, run):
    lines = (folder / "plays.txt").read_text().splitlines()
    (folder / "most.txt").write_text("\n".join(lines[:22]) + "\n")
    first = facts("lm", "learn", "stories", "most.txt", "-o", "most", "--window", "10", cwd=folder)
    assert first["windows"] == 20
    whole = facts("lm", "learn", "most", "plays.txt", "-o", "all", "--window", "10", cwd=folder)
    assert whole["memory_tokens"] == first["memory_tokens"] + whole["learned_tokens"]
    assert whole["perplexity_before"] < first["perplexity_before"]  # the memory counts as before


def test_a_short_text_is_learned_without_an_estimate(folder, run):
    (folder / "short.txt").write_text("the king sees\n")
    done = run("lm", "learn", "stories", "short.txt", "-o", "short", "--json", cwd=folder)
    assert "too short to measure" in done.stderr
    assert "perplexity_before" not in json.loads(done.stdout)


def test_learning_that_gains_nothing_says_so(folder, run):
    (folder / "noise.txt").write_text("king queen rides horse away his the and sees to\n" * 12)
    first = run("lm", "learn", "stories", "noise.txt", "-o", "one", "--recall", cwd=folder)
    assert "gained nothing" not in first.stderr
    (folder / "apart.csv").write_text(
        "text\n" + "the king sees his\n" * 60 + f"{'away rides queen horse ' * 3}\n" * 6
    )
    again = run("lm", "learn", "stories", "apart.csv", "-o", "two", "--memory", "recall",
                cwd=folder)  # fmt: skip
    assert "Learning gained nothing on them" in again.stderr


def test_learning_without_measuring_learns_the_same_bits_and_says_nothing_of_a_gain(folder, run):
    learn = ("lm", "learn", "stories", "plays.txt", "--window", "16", "--recall")
    run(*learn, "-o", "measured", cwd=folder)
    done = run(*learn, "-o", "plain", "--no-measure", "--json", cwd=folder)
    assert "perplexity" not in done.stderr + done.stdout
    assert "cannot forget a single text" in done.stderr
    files = [(folder / name / "memory.safetensors").read_bytes() for name in ("measured", "plain")]
    assert files[0] == files[1]


def test_a_terminal_sees_how_far_learning_and_measuring_are(folder, ran, monkeypatch):
    terminal = Console(file=io.StringIO(), force_terminal=True, width=60)
    monkeypatch.setattr("faast._utils.progress._standard_error", lambda: terminal)
    monkeypatch.setattr("faast._utils.progress.QUIET_SECONDS", 0.0)
    texts = ("plays.txt", "--window", "16", *EXACT["recall"])
    ran("lm", "learn", "stories", *texts, "-o", "plays", cwd=folder)
    shown = terminal.file.getvalue()
    assert all(word in shown for word in ("Learning", "Measuring before", "Measuring after"))
    ran("lm", "forget", "plays", "plays.txt", "--window", "16", "-o", "plays", cwd=folder)
    assert "Forgetting" in terminal.file.getvalue()


def assert_same_memory(*folders):
    """Assert that two folders hold one memory, equal bit by bit."""
    mine, theirs = (load(folder / "memory.safetensors").memories for folder in folders)
    assert mine.keys() == theirs.keys() == {"default"}
    assert mine["default"].metadata == theirs["default"].metadata
    ours = mine["default"].tensors
    assert all((ours[name] == part).all() for name, part in theirs["default"].tensors.items())


@pytest.mark.parametrize("kind", EXACT)
def test_a_forgotten_text_was_never_there(folder, facts, run, kind):
    learn = ("lm", "learn", "stories", "reviews.csv", "--window", "16", *EXACT[kind])
    facts(*learn, "-o", "alone", cwd=folder)
    done = run("lm", "learn", "alone", "plays.txt", "--window", "16", "-o", "both", cwd=folder)
    assert "can forget any of its texts: its sums and counts become exactly" in done.stderr
    forget = ("lm", "forget", "both", "plays.txt", "--window", "16")
    found = facts(*forget, "-o", "both", cwd=folder)
    assert found["forgotten_tokens"] > 200
    assert_same_memory(folder / "alone", folder / "both")


@pytest.mark.parametrize("kind", EXACT)
def test_some_of_several_texts_are_forgotten_exactly(folder, facts, run, kind):
    generator = np.random.default_rng(0)
    names = [f"{number}.txt" for number in range(40)]
    for name in names:
        words = generator.choice(WORDS.split(), generator.integers(5, 60))
        (folder / name).write_text(" ".join(words))
    for files, name in ((names[:20], "alone"), (names, "both")):
        run("lm", "learn", "stories", *files, *EXACT[kind], "-o", name, cwd=folder)
    facts("lm", "forget", "both", *names[20:], "-o", "left", cwd=folder)
    assert_same_memory(folder / "alone", folder / "left")


@pytest.mark.parametrize("kind", EXACT)
def test_a_text_that_repeats_another_is_forgotten_exactly(folder, facts, run, kind):
    lines = (folder / "plays.txt").read_text().splitlines()
    (folder / "first.txt").write_text("\n".join(lines[:9]))
    (folder / "second.txt").write_text("\n".join(lines[4:17]))
    for files, name in ((("first.txt",), "alone"), (("first.txt", "second.txt"), "both")):
        run("lm", "learn", "stories", *files, *EXACT[kind], "-o", name, cwd=folder)
    facts("lm", "forget", "both", "second.txt", "-o", "left", cwd=folder)
    assert_same_memory(folder / "alone", folder / "left")
