"""Columns of tables are matched by name, in any order; anything else is an error."""

import json
import random

import numpy as np
import pytest

import faast

NAMES = ["a", "b", "c"]


def rows_of(seed, count=60):
    numbers = random.Random(seed)
    rows = [
        [numbers.gauss(0, 1), numbers.gauss(0, 0.1), numbers.gauss(0, 0.1)] for _ in range(count)
    ]
    return [(*row, "up" if row[0] > 0 else "down") for row in rows]


def write(path, header, rows):
    order = [["a", "b", "c", "label"].index(name) for name in header]
    lines = [",".join(str(row[i]) for i in order) for row in rows]
    path.write_text("\n".join([",".join(header), *lines]) + "\n")


@pytest.fixture
def folder(tmp_path, ran):
    write(tmp_path / "train.csv", [*NAMES, "label"], rows_of(0))
    write(tmp_path / "more.csv", [*NAMES, "label"], rows_of(1))
    write(tmp_path / "more2.csv", ["c", "label", "b", "a"], rows_of(1))
    write(tmp_path / "test.csv", [*NAMES, "label"], rows_of(2))
    write(tmp_path / "test2.csv", ["label", "b", "c", "a"], rows_of(2))
    ran("learn", "train.csv", "-o", "model", cwd=tmp_path)
    return tmp_path


def test_names_are_part_of_the_file(folder, facts):
    assert faast.load(folder / "model").feature_names_in_.tolist() == NAMES
    assert facts("inspect", "model", cwd=folder)["columns"] == NAMES


def test_the_order_of_columns_does_not_matter(folder, facts, ran):
    first, second = (
        {**facts("evaluate", "model", f"{test}.csv", cwd=folder), "seconds": 0}
        for test in ("test", "test2")
    )
    assert first == second
    assert first["accuracy"] > 0.9
    answers = [ran("predict", "model", f"{test}.csv", cwd=folder) for test in ("test", "test2")]
    assert answers[0] == answers[1]
    for more in ("more", "more2"):
        ran("add", "model", f"{more}.csv", "-o", f"with_{more}", cwd=folder)
    assert (folder / "with_more").read_bytes() == (folder / "with_more2").read_bytes()
    ran("forget", "with_more", "more2.csv", cwd=folder)
    assert (folder / "with_more").read_bytes() == (folder / "model").read_bytes()


def test_compared_methods_see_the_same_columns(folder, facts):
    command = ("--method", "nearest-mean")
    first, second = (
        facts("compare", "train.csv", f"{test}.csv", *command, cwd=folder)
        for test in ("test", "test2")
    )
    for fact in ("faast_accuracy", "nearest_mean_accuracy"):
        assert first[fact] == second[fact] > 0.9


@pytest.mark.parametrize("command", ["evaluate", "predict", "add", "forget"])
@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("a,b,x,label", "table.csv has no column 'c', which the model has learned"),
        ("a,b,label", "table.csv has no column 'c', which the model has learned"),
        ("a,b,c,d,label", "table.csv has a column 'd', which the model has not learned"),
        ("A,b,c,label", "table.csv has no column 'a', which the model has learned"),
    ],
)
def test_other_columns_are_named(folder, run, command, header, message):
    before = (folder / "model").read_bytes()
    width = header.count(",")
    (folder / "table.csv").write_text(f"{header}\n{'1,' * width}up\n{'0,' * width}down\n")
    done = run(command, "model", "table.csv", cwd=folder)
    assert done.exit_code == 1
    assert message in done.stderr
    assert (folder / "model").read_bytes() == before


def test_named_columns_beside_unnamed_ones_are_refused(folder, run, ran):
    rows = rows_of(3)
    np.savez(folder / "bare.npz", features=[row[:3] for row in rows], label=[r[3] for r in rows])
    ran("learn", "bare.npz", "-o", "bare", cwd=folder)
    for command in ("evaluate", "predict", "add", "forget"):
        done = run(command, "model", "bare.npz", cwd=folder)
        assert done.exit_code == 1
        assert "bare.npz have no names, but the model learned the columns 'a'" in done.stderr
        done = run(command, "bare", "test.csv", cwd=folder)
        assert done.exit_code == 1
        assert "test.csv has the named columns 'a', 'b', 'c'" in done.stderr
    for models in (("model", "bare"), ("bare", "model")):
        done = run("merge", *models, "-o", "both", cwd=folder)
        assert done.exit_code == 1
        assert "one model learned the columns 'a', 'b', 'c'" in done.stderr


def test_merging_other_columns_names_one(folder, run, ran):
    ran("learn", "more2.csv", "-o", "other", cwd=folder)
    done = run("merge", "model", "other", "-o", "both", cwd=folder)
    assert done.exit_code == 1
    assert "column 0 is 'a' here and 'c' there" in done.stderr


def test_objects_of_json_lines_give_columns_by_name(folder, facts):
    lines = [json.dumps({"label": label, "c": c, "a": a, "b": b}) for a, b, c, label in rows_of(2)]
    (folder / "test.jsonl").write_text("\n".join(lines))
    found = facts("evaluate", "model", "test.jsonl", cwd=folder)
    assert found["accuracy"] == facts("evaluate", "model", "test.csv", cwd=folder)["accuracy"]


def test_a_row_on_the_command_line_is_in_the_learned_order(folder, ran):
    assert "up" in ran("predict", "model", "--row", "2,0,0", cwd=folder)


def test_methods_are_not_compared_on_labels_that_differ(folder, run):
    (folder / "other.csv").write_text("a,b,c,label\n1,0,0,left\n0,1,0,right\n")
    done = run("compare", "train.csv", "other.csv", cwd=folder)
    assert done.exit_code == 1
    assert "no label of other.csv is a label of train.csv" in done.stderr


def test_a_table_of_numbers_may_begin_with_an_empty_cell(tmp_path, run, facts):
    (tmp_path / "one.csv").write_text("a,label\n,x\n1,y\n2,x\n3,y\n")
    said = facts("learn", "one.csv", "-o", "model", "--on-error", "skip", cwd=tmp_path)
    assert said["rows_skipped"] == 1
    assert faast.load(tmp_path / "model").modality == "features"
    (tmp_path / "two.csv").write_text("a,b,label\n,1,x\n1,2,y\n2,3,x\n")
    done = run("learn", "two.csv", "-o", "model", cwd=tmp_path)
    assert done.exit_code == 1
    assert "two.csv, line 2: the cell of column 'a' is empty; fill it in" in done.stderr
