"""Several labels a row on the command line, from raw files to answers."""

import csv
import io
import json

import pytest

WORDS = {"red": ["apple", "rose", "car"], "blue": ["sky", "sea", "car"], "sweet": ["apple", "cake"]}
NOUNS = ["apple", "rose", "car", "sky", "sea", "cake", "stone"]


def labels_of(noun):
    return [label for label, nouns in WORDS.items() if noun in nouns]


ROWS = [(f"{start} {noun}", labels_of(noun)) for noun in NOUNS for start in ("a", "the", "one")]


def table(path, header, rows):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


@pytest.fixture
def folder(tmp_path):
    table(tmp_path / "cells.csv", ["text", "labels"], [(t, ";".join(of)) for t, of in ROWS])
    table(
        tmp_path / "marks.csv",
        ["text", *WORDS],
        [(text, *(int(label in of) for label in WORDS)) for text, of in ROWS],
    )
    lines = [json.dumps({"text": text, "labels": of}) for text, of in ROWS]
    (tmp_path / "lists.jsonl").write_text("\n".join(lines))
    return tmp_path


def test_every_form_of_a_file_gives_the_same_model(folder, run, ran):
    done = run("learn", "cells.csv", "-o", "cells", cwd=folder)
    assert 'labels are separated by ";"' in done.stderr
    ran("learn", "lists.jsonl", "-o", "lists", cwd=folder)
    ran("learn", "marks.csv", "-o", "marks", "--label-columns", "red,blue,sweet", cwd=folder)
    models = [(folder / name).read_bytes() for name in ("cells", "lists", "marks")]
    assert models[0] == models[1] == models[2]
    found = json.loads(ran("inspect", "cells", "--json", cwd=folder))
    assert found["labels"] == ["blue", "red", "sweet"]
    assert len(found["thresholds"]) == 3


def test_answers_stand_in_one_cell_and_json_has_every_probability(folder, ran, facts):
    ran("learn", "lists.jsonl", "-o", "model", cwd=folder)
    asked = "an apple\nthe sea\nmy stone\n"
    rows = list(csv.reader(io.StringIO(ran("predict", "model", "-", cwd=folder, stdin=asked))))
    assert rows[0] == ["labels", "probabilities"]
    assert [row[0] for row in rows[1:]] == ["red;sweet", "blue", ""]
    assert len(rows[1][1].split(";")) == 2
    joined = ran("predict", "model", "--row", "an apple", "--label-separator", "|", cwd=folder)
    assert "red|sweet" in joined
    found = facts("predict", "model", "-", cwd=folder, stdin=asked)
    assert found["labels"] == [["red", "sweet"], ["blue"], []]
    assert set(found["label_probabilities"][0]) == set(WORDS)


def test_adding_forgetting_and_merging_end_in_the_model_of_what_is_left(folder, ran):
    table(folder / "more.csv", ["text", "labels"], [("green tree", "green;red"), ("moss", "green")])
    ran("learn", "cells.csv", "-o", "model", cwd=folder)
    before = (folder / "model").read_bytes()
    ran("add", "model", "more.csv", "-o", "grown", cwd=folder)
    ran("learn", "more.csv", "-o", "more", "--label-separator", ";", cwd=folder)
    ran("merge", "model", "more", "-o", "merged", cwd=folder)
    assert (folder / "grown").read_bytes() == (folder / "merged").read_bytes()
    ran("forget", "grown", "more.csv", cwd=folder)
    assert (folder / "grown").read_bytes() == before


def test_evaluation_reports_labels_and_draws_them(folder, ran, facts):
    pytest.importorskip("matplotlib")
    ran("learn", "cells.csv", "-o", "model", cwd=folder)
    found = facts("evaluate", "model", "cells.csv", "--plot", "plot.png", cwd=folder)
    for name in ("exact_match", "micro_f1", "macro_f1", "average_precision"):
        assert found[name] == pytest.approx(1.0)
    assert found["labels"] == ["blue", "red", "sweet"]
    assert found["label_rows"] == [9, 9, 6]
    assert (folder / "plot.png").read_bytes().startswith(b"\x89PNG")
    shown = ran("evaluate", "model", "cells.csv", cwd=folder)
    assert "average precision" in shown
    assert "sweet" in shown


def test_what_cannot_be_meant_is_refused_and_nothing_is_written(folder, run):
    table(folder / "twos.csv", ["text", "red", "blue"], [("a", 1, 0), ("b", 2, 1)])
    table(folder / "odd.csv", ["text", "label"], [("a", "x;y;"), ("b", "x"), ("c", "y")])
    run("learn", "cells.csv", "-o", "model", cwd=folder)
    for arguments, message in (
        (["learn", "twos.csv", "--label-columns", "red,blue"], "line 3: column 'red' holds '2'"),
        (["learn", "twos.csv", "--label-columns", "red,green"], "has no column 'green'"),
        (["learn", "odd.csv", "--label-separator", ";"], "line 2: the labels 'x;y;' hold an empty"),
        (["learn", "cells.csv", "--novelty"], "novelty=True has no meaning"),
        (["learn", "cells.csv", "--class-names"], "class_names=True"),
        (["add", "model", "cells.csv", "--label-separator", "e"], "is a part of the label 'blue'"),
    ):
        done = run(*arguments, "-o", "new", cwd=folder)
        assert done.exit_code == 1
        assert message in done.stderr, done.stderr
        assert not (folder / "new").exists()
    done = run("predict", "model", "cells.csv", "--label-separator", "e", cwd=folder)
    assert (
        "the separator 'e' is a part of the label 'blue'; name another one, such as ';'"
        in done.stderr
    )
    done = run("compare", "cells.csv", "cells.csv", cwd=folder)
    assert "rows with one label each" in done.stderr
    for command in ("suspects", "relabel"):
        done = run(command, "model", "cells.csv", cwd=folder)
        assert done.exit_code in (1, 2), command


def test_one_label_is_not_several(folder, run, ran):
    table(folder / "one.csv", ["text", "label"], [("a", "x;y"), ("b", "x"), ("c", "y")])
    ran("learn", "one.csv", "-o", "whole", "--label-separator", "", cwd=folder)
    assert "x;y" in ran("inspect", "whole", cwd=folder)
    assert run("add", "whole", "one.csv", cwd=folder).exit_code == 0
    done = run("add", "whole", "one.csv", "--label-separator", ";", cwd=folder)
    assert "this model learned one label per row, got a list of labels per row" in done.stderr
    done = run("evaluate", "whole", "one.csv", "--plot", "x.txt", cwd=folder)
    assert done.exit_code == 1


def test_images_have_their_labels_in_a_table(tmp_path, ran, facts):
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "pictures").mkdir()
    rows = []
    for i in range(12):
        colour = (200 if i % 2 else 20, 20, 200 if i % 3 == 0 else 20)
        image.new("RGB", (8, 8), colour).save(tmp_path / "pictures" / f"{i}.png")
        names = [
            name for name, level in zip(("red", "g", "blue"), colour, strict=True) if level > 99
        ]
        rows.append((f"pictures/{i}.png", "|".join(names)))
    table(tmp_path / "manifest.csv", ["path", "labels"], rows)
    ran("learn", "manifest.csv", "-o", "model", cwd=tmp_path)
    found = facts("predict", "model", "pictures/3.png", cwd=tmp_path)
    assert found["labels"] == [["blue", "red"]]
