"""`faast classes`: changes of classes in model files."""

import json

import pytest

ROWS = """text,label
worth every penny,good
I love it,good
great quality,Good
broke after a day,bad
waste of money,bad
"""


@pytest.fixture
def model(tmp_path, run):
    (tmp_path / "reviews.csv").write_text(ROWS)
    done = run("learn", "reviews.csv", "-o", "model", cwd=tmp_path)
    assert done.exit_code == 0
    return tmp_path / "model"


def test_look_alikes_are_pointed_out_with_the_command_that_merges_them(model, run, facts):
    folder = model.parent
    shown = run("inspect", "model", cwd=folder).stderr
    assert "the classes 'Good', 'good' differ only in form" in shown
    command = shown.strip().rpartition("run: faast ")[2].split()
    assert command == ["classes", "merge", "model", "Good", "good", "--into", "good"]
    merged = facts(*command, cwd=folder)
    assert merged["changes"] == [
        {"kind": "merge", "before": ["Good", "good"], "after": ["good"], "rows": 1.0}
    ]
    again = run("inspect", "model", cwd=folder)
    assert again.stderr == ""
    assert "merge: 'Good', 'good' to 'good' (1 rows)" in again.stdout


def test_a_merged_file_holds_what_learning_with_the_new_labels_would(model, ran, facts):
    folder = model.parent
    (folder / "one.csv").write_text(ROWS.replace("Good", "good"))
    ran("classes", "rename", "model", "Good", "good", "--merge", cwd=folder)
    ran("learn", "one.csv", "-o", "expected", cwd=folder)
    asked = ("--row", "it broke")
    assert facts("predict", "model", *asked, cwd=folder) == facts(
        "predict", "expected", *asked, cwd=folder
    )


def test_renaming_onto_a_class_needs_merge_and_changes_nothing(model, run, ran, facts):
    folder, before = model.parent, model.read_bytes()
    done = run("classes", "rename", "model", "Good", "good", cwd=folder)
    assert done.exit_code == 1
    assert "'good' is a class already; with --merge" in done.stderr
    assert model.read_bytes() == before
    ran("classes", "rename", "model", "Good", "good", "--merge", cwd=folder)
    assert facts("inspect", "model", cwd=folder)["labels"] == ["bad", "good"]


def test_splits_aliases_and_order_reach_every_command(model, ran, facts):
    folder = model.parent
    (folder / "new.csv").write_text("text,label\nwaste of money,dear\n")
    ran("classes", "split", "model", "bad", "new.csv", cwd=folder)
    ran("classes", "alias", "model", "expensive", "dear", cwd=folder)
    ran("classes", "order", "model", "good", "dear", cwd=folder)
    (folder / "more.csv").write_text("text,label\nfar too much money,expensive\n")
    assert facts("add", "model", "more.csv", cwd=folder)["classes"] == 4
    found = facts("evaluate", "model", "more.csv", cwd=folder)
    assert found["labels"] == ["good", "dear", "Good", "bad"]
    assert found["confusion"][1] == [0, 1, 0, 0]
    ran("forget", "model", "more.csv", cwd=folder)
    seen = facts("inspect", "model", cwd=folder)
    assert seen["aliases"] == [{"alias": "expensive", "class": "dear"}]
    assert [change["kind"] for change in seen["class_history"]] == ["split", "alias", "order"]
    assert seen["rows"] == 5
    ran("classes", "alias", "model", "expensive", "--remove", cwd=folder)
    assert "aliases" not in facts("inspect", "model", cwd=folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("rename", "model", "goood", "x"),
            "did you mean 'good'?",
        ),
        (("rename", "model", "nope", "good"), "'nope'"),
        (("rename", "model", "nope", "good", "--merge"), "'nope'"),
        (("rename", "model", "good", "good"), "'good' is the label of this class already"),
        (("merge", "model", "good", "--into", "good"), "merging needs two classes"),
        (("alias", "model", "x"), "name the class that the alias stands for"),
        (("alias", "model", "x", "good", "--remove"), "name the class that the alias stands for"),
        (("alias", "model", "bad", "good"), "'bad' is a class with rows"),
        (("alias", "model", "x", "--remove"), "'x' is no alias"),
        (("order", "model", "good", "good"), "names 'good' twice"),
        (("split", "model", "good", "reviews.csv"), "never learned"),
        (("rename", "model", "good", " "), "the label is missing"),
    ],
)
def test_refusals_say_what_to_do_and_leave_the_file(model, run, arguments, message):
    before = model.read_bytes()
    done = run("classes", *arguments, cwd=model.parent)
    assert done.exit_code == 1
    assert message in done.stderr
    assert model.read_bytes() == before


def test_numbers_and_texts_that_spell_them_are_pointed_out_and_merged(tmp_path, run, facts):
    from faast import TextClassifier

    TextClassifier().fit(["one", "uno", "two"], [1, "1", 2]).save(tmp_path / "model")
    shown = run("inspect", "model", cwd=tmp_path).stderr
    assert """merge model 1 '"1"' --into '"1"'""" in shown
    facts("classes", "merge", "model", "1", '"1"', "--into", "1", cwd=tmp_path)
    assert json.dumps(facts("inspect", "model", cwd=tmp_path)["labels"]) == "[1, 2]"
    TextClassifier().fit(["one", "two"], [1, "dos"]).save(tmp_path / "model")
    assert (
        "some classes are numbers (1), others names ('dos')"
        in run("inspect", "model", cwd=tmp_path).stderr
    )
