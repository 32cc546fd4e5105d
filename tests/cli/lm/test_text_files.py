"""Plain text from standard input and from folders teaches what the same text in files teaches."""

import pytest

from tests.cli.lm.conftest import LINES

EXACT = ("--memory", "recall")


def learned(folder, name):
    return (folder / name / "memory.safetensors").read_bytes()


def test_text_on_standard_input_is_learned_measured_and_forgotten(folder, facts):
    text = (folder / "plays.txt").read_text()
    facts("lm", "learn", "stories", "plays.txt", "-o", "named", *EXACT, cwd=folder)
    facts("lm", "learn", "stories", "-", "-o", "piped", *EXACT, cwd=folder, stdin=text)
    assert learned(folder, "piped") == learned(folder, "named")
    named = facts("lm", "perplexity", "stories", "plays.txt", cwd=folder)
    piped = facts("lm", "perplexity", "stories", "-", cwd=folder, stdin=text)
    assert piped["perplexity"] == named["perplexity"]
    left = facts("lm", "forget", "piped", "-", "-o", "piped", cwd=folder, stdin=text)
    assert left["memory_tokens"] == 0


@pytest.fixture
def notes(folder):
    (folder / "notes" / "old").mkdir(parents=True)
    (folder / "notes" / ".trash").mkdir()
    for name, text in {
        "b.txt": LINES[0],
        "a.md": LINES[1],
        "old/c.TXT": " ".join(LINES),
        ".trash/gone.txt": "the queen is his horse",
        "list.csv": "text\nthe queen is his horse",
    }.items():
        (folder / "notes" / name).write_text(text)
    return folder


def test_a_folder_is_its_text_files(notes, facts, run):
    files = ("notes/a.md", "notes/b.txt", "notes/old/c.TXT")
    facts("lm", "learn", "stories", *files, "-o", "files", *EXACT, cwd=notes)
    done = run("lm", "learn", "stories", "notes/", "-o", "all", *EXACT, cwd=notes)
    assert "of notes/, text files are read: 3; files of other kinds are left out: 1" in done.stderr
    assert learned(notes, "all") == learned(notes, "files")
    named = facts("lm", "perplexity", "stories", *files, "--window", "8", cwd=notes)
    whole = facts("lm", "perplexity", "stories", "notes", "--window", "8", cwd=notes)
    assert whole["perplexity"] == named["perplexity"]
    assert facts("lm", "forget", "all", "notes", "-o", "all", cwd=notes)["memory_tokens"] == 0
