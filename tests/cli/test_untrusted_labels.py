"""Labels that would command a terminal or a spreadsheet."""

import csv
import io
import json

import pytest

from faast.cli._output import escape_controls, write_csv

CLEAR = "\x1b[2J\x1b]0;owned\x07"
LABELS = [f"good{CLEAR}", "=1+1", "@SUM(A1)", "+2", "-3 stars", "plain", "right\u202eleft"]


@pytest.fixture
def folder(tmp_path, ran):
    lines = [json.dumps({"text": f"{i} word{i}", "label": x}) for i, x in enumerate(LABELS)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    ran("learn", "rows.jsonl", "-o", "model", cwd=tmp_path)
    return tmp_path


@pytest.mark.parametrize("text", ["\x1b", "\x00", "\x7f", "\x9b", "\n", "\r", "\u2028", "\u202e"])
def test_controls_are_escaped(text):
    shown = escape_controls(f"a{text}é漢🙂")
    assert shown.isprintable()
    assert shown.startswith("a\\")
    assert shown.endswith("é漢🙂")


def test_what_people_read_has_no_controls(folder, run):
    for arguments in (("inspect", "model"), ("evaluate", "model", "rows.jsonl")):
        done = run(*arguments, cwd=folder)
        assert done.exit_code == 0
        assert "\x1b" not in done.stdout
        assert "\u202e" not in done.stdout
        assert r"good\x1b[2J" in done.stdout


def test_messages_have_no_controls(folder, run):
    (folder / "bad.csv").write_text(f"text{CLEAR},label\na,b\n")
    done = run("learn", "bad.csv", "-o", "x", "--label-column", f"kind{CLEAR}", cwd=folder)
    assert done.exit_code == 1
    assert "\x1b" not in done.stderr
    (folder / "one.csv").write_text(f"text,label\na,{CLEAR}\nb,{CLEAR}\n")
    done = run("compare", "one.csv", "one.csv", cwd=folder)
    assert "\x1b" not in done.stderr


def test_csv_is_data_in_a_file_and_escaped_on_a_terminal(monkeypatch, folder, ran):
    assert CLEAR in ran("predict", "model", "rows.jsonl", cwd=folder)

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    shown = Terminal()
    monkeypatch.setattr("sys.stdout", shown)
    write_csv([{"label": LABELS, "probability": [0.5] * len(LABELS)}])
    assert "\x1b" not in shown.getvalue()


def test_safe_cells_are_no_formulas(folder, ran):
    def labels(*options):
        shown = ran("predict", "model", "rows.jsonl", *options, cwd=folder)
        return [row["label"] for row in csv.DictReader(io.StringIO(shown))]

    assert labels() == LABELS
    safe = labels("--safe-cells")
    assert safe == [f"'{x}" if x[0] in "=+-@" else x for x in LABELS]


def test_numbers_are_no_formulas(capsys):
    write_csv([{"label": [-1, "-1"], "novelty": [-0.5, 0.5]}], safe_cells=True)
    assert capsys.readouterr().out.splitlines()[1:] == ["-1,-0.5", "'-1,0.5"]
