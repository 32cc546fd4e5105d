"""Mistakes and unusual input: nothing is lost, and every message names the cause."""

import json
import os
import stat

import pytest
from PIL import Image

from faast import AssociativeMemory, load

GOOD, BAD = "a fine and pleasant film", "a dull and tiresome film"


def write_rows(path, pairs):
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in pairs))


@pytest.fixture
def folder(tmp_path, ran):
    rows = [(f"{GOOD} {i}", "good") for i in range(6)] + [(f"{BAD} {i}", "bad") for i in range(6)]
    write_rows(tmp_path / "reviews.csv", rows)
    ran("learn", "reviews.csv", "-o", "model", cwd=tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("learn", "reviews.csv", "-o", "reviews.csv"),
        ("add", "model", "reviews.csv", "-o", "reviews.csv"),
        ("forget", "model", "reviews.csv", "-o", "reviews.csv"),
        ("export", "model", "--onnx", "model"),
        ("evaluate", "model.png", "reviews.csv", "--plot", "model.png"),
    ],
)
def test_what_is_read_is_not_overwritten(folder, run, arguments):
    (folder / "model.png").write_bytes((folder / "model").read_bytes())
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = run(*arguments, cwd=folder)
    assert done.exit_code == 1
    assert "is read and would be overwritten; name another output" in done.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("learn", "reviews.csv"),
        ("add", "model", "reviews.csv"),
        ("forget", "model", "reviews.csv"),
        ("merge", "model", "model.png"),
        ("classes", "rename", "model", "good", "fine"),
    ],
)
def test_a_model_replaces_no_file_of_another_kind(folder, run, arguments):
    (folder / "model.png").write_bytes((folder / "model").read_bytes())
    (folder / "table.csv").write_text("kept")
    done = run(*arguments, "-o", "table.csv", cwd=folder)
    assert done.exit_code == 1
    assert "table.csv is no model, and a model would overwrite it" in done.stderr
    assert (folder / "table.csv").read_text() == "kept"


def test_a_model_is_not_merged_with_itself(folder, run):
    done = run("merge", "model", "./model", "-o", "both", cwd=folder)
    assert done.exit_code == 1
    assert "are one file, and its rows would count twice; name two models" in done.stderr
    assert not (folder / "both").exists()


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("missing/model", "missing to write model in"),
        (".", "is not a file and cannot be replaced by one"),
        ("pipe", "pipe is not a file and cannot be replaced by one"),
    ],
)
def test_outputs_are_checked_before_the_work(folder, run, output, message):
    os.mkfifo(folder / "pipe")
    done = run("learn", "absent.csv", "-o", output, cwd=folder)
    assert done.exit_code == 1
    assert message in done.stderr
    assert stat.S_ISFIFO((folder / "pipe").stat().st_mode)


def test_links_are_followed_and_permissions_kept(folder, ran):
    (folder / "model").chmod(0o600)
    (folder / "link").symlink_to("model")
    before = (folder / "model").read_bytes()
    ran("add", "link", "reviews.csv", cwd=folder)
    assert (folder / "link").is_symlink()
    assert (folder / "model").read_bytes() != before
    assert stat.S_IMODE((folder / "model").stat().st_mode) == 0o600


def test_evaluate_checks_the_image_first(folder, run):
    for plot, message in (("x.xyz", "must end in one of"), ("no/x.png", "no to write x.png in")):
        done = run("evaluate", "model", "absent.csv", "--plot", plot, cwd=folder)
        assert done.exit_code == 1
        assert message in done.stderr


def test_an_empty_row_is_refused_as_in_a_file(folder, run):
    done = run("predict", "model", "--row", "", cwd=folder)
    assert done.exit_code == 1
    assert "the text is empty" in done.stderr


def test_labels_may_look_like_markup(folder, ran):
    write_rows(folder / "odd.csv", [(GOOD, "[/bold]"), (BAD, r"$\frac$"), (BAD + "!", "[red]x")])
    ran("learn", "odd.csv", "-o", "odd", cwd=folder)
    shown = ran("evaluate", "odd", "odd.csv", "--plot", "odd.png", cwd=folder)
    assert "[/bold]" in shown
    assert "[red]x" in shown


def test_tables_are_whole_where_no_terminal_shows_them(folder, ran):
    names = [f"a rather long name of class number {i}" for i in range(10)]
    write_rows(folder / "long.csv", [(f"{GOOD} {name}", name) for name in names])
    ran("learn", "long.csv", "-o", "long", cwd=folder)
    shown = ran("evaluate", "long", "long.csv", cwd=folder)
    assert all(name in shown for name in names)


def test_numbers_and_texts_of_one_label_are_one_class(folder, ran, facts):
    write_rows(folder / "numbers.csv", [(GOOD, 1), (BAD, 2)])
    write_rows(folder / "mixed.csv", [(GOOD + "!", 1), ("quite another thing", "new")])
    ran("learn", "numbers.csv", "-o", "numbers", cwd=folder)
    ran("learn", "mixed.csv", "-o", "mixed", cwd=folder)
    for first, second in (("numbers", "mixed"), ("mixed", "numbers")):
        ran("merge", first, second, "-o", "both", cwd=folder)
        assert facts("inspect", "both", cwd=folder)["labels"] == [1, 2, "new"]
        assert facts("evaluate", "both", "numbers.csv", cwd=folder)["accuracy"] == 1.0
    lines = [json.dumps({"text": text, "label": label}) for text, label in ((GOOD, 1), (BAD, 2))]
    (folder / "numbers.jsonl").write_text("\n".join(lines))
    ran("add", "both", "numbers.jsonl", cwd=folder)
    assert facts("inspect", "both", cwd=folder)["labels"] == [1, 2, "new"]


def test_forgetting_names_the_row_or_skips_it(folder, run, facts):
    write_rows(
        folder / "some.csv", [(f"{GOOD} 1", "good"), ("unheard of", "bad"), (f"{BAD} 2", "bad")]
    )
    before = (folder / "model").read_bytes()
    done = run("forget", "model", "some.csv", cwd=folder)
    assert done.exit_code == 1
    assert "some.csv, line 3: a row to forget was never learned" in done.stderr
    assert (folder / "model").read_bytes() == before
    result = facts("forget", "model", "some.csv", "--on-error", "skip", cwd=folder)
    assert (result["rows_forgotten"], result["rows_skipped"], result["rows_left"]) == (2, 1, 10)


def test_forgetting_everything_is_refused(folder, run):
    before = (folder / "model").read_bytes()
    done = run("forget", "model", "reviews.csv", cwd=folder)
    assert "nothing would be left of the model; delete its file instead" in done.stderr
    assert (folder / "model").read_bytes() == before


def test_images_are_named_beside_their_answers(folder, ran, facts):
    for label, colour in (("red", (200, 0, 0)), ("blue", (0, 0, 200))):
        (folder / "images" / label).mkdir(parents=True)
        for i in range(3):
            image = Image.new("RGB", (32, 32), tuple(c + i for c in colour))
            image.save(folder / "images" / label / f"{i}.png")
    ran("learn", "images", "-o", "seen", cwd=folder)
    lines = ran("predict", "seen", "images", cwd=folder).splitlines()
    assert lines[0] == "image,label,probability,runner_up,runner_up_probability"
    assert any(line.startswith("images/red/0.png,") for line in lines)
    assert facts("predict", "seen", "images/blue/1.png", cwd=folder)["rows"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("learn", "reviews.csv", "-o", "x", "--revision", "main"), "name it with --encoder"),
        (
            ("learn", "table.csv", "-o", "x", "--class-names"),
            "needs an encoder that reads names",
        ),
        (("compare", "one.csv", "reviews.csv"), "one.csv holds one class, 'good'"),
        (("evaluate", "numbers", "wide.csv"), "wide.csv has a column 'c', which the model has not"),
    ],
)
def test_contradictions_are_told(folder, ran, run, arguments, message):
    (folder / "table.csv").write_text("a,b,label\n0,1,x\n1,0,y\n")
    (folder / "wide.csv").write_text("a,b,c,label\n0,1,2,x\n1,0,2,y\n")
    write_rows(folder / "one.csv", [(GOOD, "good"), (BAD, "good")])
    ran("learn", "table.csv", "-o", "numbers", cwd=folder)
    done = run(*arguments, cwd=folder)
    assert done.exit_code == 1
    assert message in done.stderr
    assert not (folder / "x").exists()


def test_compacted_models_predict_but_learn_no_more(folder, ran, run, facts):
    load(folder / "model").compact().save(folder / "small")
    answers = facts("predict", "small", "reviews.csv", cwd=folder)
    assert answers["labels"] == facts("predict", "model", "reviews.csv", cwd=folder)["labels"]
    assert "rows" not in facts("inspect", "small", cwd=folder)
    for command in ("add", "forget"):
        done = run(command, "small", "reviews.csv", cwd=folder)
        assert done.exit_code == 1
        assert "this model was compacted" in done.stderr


def test_files_of_other_estimators_are_refused(folder, run):
    AssociativeMemory().learn([[0.0], [1.0]], [0.0, 1.0]).save(folder / "memory")
    done = run("predict", "memory", "reviews.csv", cwd=folder)
    assert done.exit_code == 1
    assert "memory holds a AssociativeMemory; this command takes FaastClassifier" in done.stderr


def test_json_has_no_infinities(capsys):
    from faast.cli._output import emit

    emit({"loss": float("nan"), "sizes": [1.0, float("inf")]}, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"loss": None, "sizes": [1.0, None]}
