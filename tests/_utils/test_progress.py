"""Bars: for terminals, for long work."""

import io

import pytest
from rich.console import Console

from faast._utils import progress
from faast.encoders import load_encoder


@pytest.fixture
def terminal():
    return Console(file=io.StringIO(), force_terminal=True, width=60)


def steps(terminal, **options):
    done = []
    for step in progress.progress_bar(
        range(4), lambda: len(done) / 4, "Working", console=terminal, **options
    ):
        done.append(step)
    return done


def test_short_work_shows_nothing(terminal):
    assert steps(terminal, enabled=True) == [0, 1, 2, 3]
    assert terminal.file.getvalue() == ""


def test_long_work_shows_a_bar(terminal, monkeypatch):
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    assert steps(terminal, enabled=False) == [0, 1, 2, 3]
    assert terminal.file.getvalue() == ""
    assert steps(terminal, enabled=True) == [0, 1, 2, 3]
    assert "Working" in terminal.file.getvalue()


def test_nothing_is_written_without_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    load_encoder("hashing").encode(["a"] * 3000, progress=True)
    assert capsys.readouterr() == ("", "")
