"""`faast suspects` and `faast relabel` on files."""

import csv
import io

import numpy as np
import pytest
from sklearn.datasets import load_digits

SUBJECTS = {
    "card": ["my card is lost", "the card was stolen", "when does my card come"],
    "cash": ["the machine kept my cash", "no cash came out", "cash withdrawal failed"],
    "rate": ["what is the exchange rate", "a bad rate for dollars", "which rate do you use"],
}
WRONG = {4: "cash", 22: "card"}  # line numbers and their wrong labels


@pytest.fixture
def folder(tmp_path):
    lines = [f"{text} {i}" for texts in SUBJECTS.values() for text in texts for i in range(4)]
    labels = [label for label, texts in SUBJECTS.items() for _ in texts for _ in range(4)]
    for name, changed in (("right.csv", {}), ("train.csv", WRONG)):
        with (tmp_path / name).open("w", newline="") as stream:
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(["text", "label"])
            for line, (text, label) in enumerate(zip(lines, labels, strict=True), start=2):
                table.writerow([text, changed.get(line, label)])
    return tmp_path


@pytest.fixture
def model(folder, ran):
    ran("learn", "train.csv", "-o", "model", cwd=folder)
    return folder / "model"


def test_suspects_are_reported_then_corrected_to_the_model_of_the_right_table(
    folder, model, run, ran, facts
):
    before = model.read_bytes()
    done = run("suspects", "model", "train.csv", cwd=folder)
    found = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {int(row["line"]) for row in found[:2]} == set(WRONG)
    assert {row["suggested"] for row in found[:2]} == {"card", "cash"} | {found[0]["suggested"]}
    assert found[0]["text"] in (folder / "train.csv").read_text()
    assert "estimated wrong" in done.stderr
    assert model.read_bytes() == before
    kept = done.stdout.splitlines()[:3]
    (folder / "suspects.csv").write_text("\n".join(kept) + "\n")
    arguments = ("model", "train.csv", "suspects.csv", "-o", "fixed", "--table", "fixed.csv")
    said = facts("relabel", *arguments, cwd=folder)
    assert (said["rows_relabelled"], said["rows_forgotten"], said["rows"]) == (2, 0, 36)
    assert (folder / "fixed.csv").read_text() == (folder / "right.csv").read_text()
    ran("learn", "right.csv", "-o", "again", cwd=folder)
    assert (folder / "fixed").read_bytes() == (folder / "again").read_bytes()
    assert model.read_bytes() == before


def test_an_empty_suggestion_forgets_the_row(folder, model, ran, facts):
    (folder / "c.csv").write_text("line,label,suggested\n4,cash,\n22,card,cash\n")
    said = facts("relabel", "model", "train.csv", "c.csv", "--table", "out.csv", cwd=folder)
    assert (said["rows_relabelled"], said["rows_forgotten"], said["rows"]) == (1, 1, 35)
    ran("learn", "out.csv", "-o", "again", cwd=folder)
    assert model.read_bytes() == (folder / "again").read_bytes()


def test_a_corrected_table_leaves_the_files_beside_it_alone(folder, model, ran):
    (folder / "c.csv").write_text("line,label,suggested\n4,cash,card\n")
    (folder / "out.csv.part").write_text("mine")
    before = {path.name for path in folder.iterdir()}
    ran("relabel", "model", "train.csv", "c.csv", "--table", "out.csv", cwd=folder)
    assert (folder / "out.csv.part").read_text() == "mine"
    assert {path.name for path in folder.iterdir()} == {*before, "out.csv"}


def test_json_has_everything(folder, model, facts):
    found = facts("suspects", "model", "train.csv", "-n", "1", cwd=folder)
    assert found["rows_checked"] == 36
    assert len(found["lines"]) == len(found["suggestions"]) == 1
    assert found["estimated_wrong"] > 0


def test_tables_of_numbers_and_arrays(tmp_path, ran, facts):
    rows, labels = load_digits(return_X_y=True)
    labels[[3, 50]] = (labels[[3, 50]] + 1) % 10
    np.savez(tmp_path / "train.npz", features=rows[:300], label=labels[:300])
    ran("learn", "train.npz", "-o", "model", cwd=tmp_path)
    found = facts("suspects", "model", "train.npz", cwd=tmp_path)
    assert set(found["rows"][:2]) & {3, 4, 50, 51}
    (tmp_path / "s.csv").write_text(ran("suspects", "model", "train.npz", "-n", 2, cwd=tmp_path))
    said = facts("relabel", "model", "train.npz", "s.csv", "--table", "t.csv", cwd=tmp_path)
    assert said["rows_relabelled"] == 2
    ran("learn", "t.csv", "-o", "again", cwd=tmp_path)
    assert facts("inspect", "again", cwd=tmp_path)["rows"] == 300


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("line,suggested\n4,card\n", "no column 'label'"),
        ("line,label,suggested\n4,cash,card\n4,cash,rate\n", "line 4 is corrected twice"),
        ("line,label,suggested\nx,cash,card\n", "c.csv, line 2"),
        ("line,label,suggested\n99,cash,card\n", "there is no line 99"),
        ("line,label,suggested\n5,cash,card\n", "line 5 has the label 'card', the corrections say"),
    ],
)
def test_corrections_that_do_not_fit_change_nothing(folder, model, run, content, message):
    (folder / "c.csv").write_text(content)
    before = model.read_bytes()
    done = run("relabel", "model", "train.csv", "c.csv", "--table", "t.csv", cwd=folder)
    assert done.exit_code == 1
    assert message in done.stderr
    assert model.read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == [
        "c.csv",
        "model",
        "right.csv",
        "train.csv",
    ]


def test_rows_that_were_never_learned_are_named_or_skipped(folder, model, run, facts):
    done = run("suspects", "model", "right.csv", cwd=folder)
    assert done.exit_code == 1
    assert "right.csv, line 4: the row was never learned with the label 'card'" in done.stderr
    found = facts("suspects", "model", "right.csv", "--on-error", "skip", cwd=folder)
    assert (found["rows_checked"], found["rows_skipped"]) == (34, 2)
