"""What faast predict writes: kept columns, runners-up, answers beside their lines, paths."""

import csv
import io

import numpy as np
import pytest

ROWS = [
    ("lost my card", "card/lost"), ("card lost", "card/lost"), ("I lost a card", "card/lost"),
    ("new card", "card/new"), ("a new card please", "card/new"), ("send a new card", "card/new"),
    ("cash fee", "cash"), ("fee for cash", "cash"), ("the cash fee again", "cash"),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path, ran):
    with (tmp_path / "train.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *ROWS])
    ran("learn", "train.csv", "-o", "model", cwd=tmp_path)
    (tmp_path / "asked.csv").write_text('id,text,label\n7,lost card,?\n8,"fee, cash",?\n')
    return tmp_path


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_columns_are_kept_before_the_answers(folder, ran, facts):
    rows = table(ran("predict", "model", "asked.csv", "--keep", cwd=folder))
    assert list(rows[0]) == [
        "id", "text", "label", "predicted_label", "probability", "runner_up",
        "runner_up_probability",
    ]  # fmt: skip
    assert [row["predicted_label"] for row in rows] == ["card/lost", "cash"]
    assert [(row["id"], row["text"]) for row in rows] == [("7", "lost card"), ("8", "fee, cash")]
    found = facts("predict", "model", "asked.csv", "--keep", cwd=folder)
    assert found["columns"] == {
        "id": ["7", "8"],
        "text": ["lost card", "fee, cash"],
        "label": ["?"] * 2,
    }
    assert found["labels"] == ["card/lost", "cash"]
    assert len(found["runners_up"]) == 2
    bare = table(ran("predict", "model", "asked.csv", cwd=folder))
    assert list(bare[0])[:2] == ["label", "probability"]


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_kept_columns_named_like_answers_stay_as_they_are(folder, ran, format):
    given = {
        "csv": "text,probability,runner_up_probability\nlost card,high,0.12345678\n",
        "jsonl": '{"text": "lost card", "probability": "high", '
        '"runner_up_probability": 0.12345678}',
    }
    path = folder / f"earlier.{format}"
    path.write_text(given[format])
    (row,) = table(ran("predict", "model", path.name, "--keep", cwd=folder))
    (alone,) = table(ran("predict", "model", "--row", "lost card", cwd=folder))
    assert (row["probability"], row["runner_up_probability"]) == ("high", "0.12345678")
    assert row["predicted_probability"] == alone["probability"]
    assert row["predicted_runner_up_probability"] == alone["runner_up_probability"]
    assert len(alone["probability"]) == len("0.123456")


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".tsv"])
def test_columns_of_every_format_are_kept(folder, ran, suffix):
    path = folder / f"asked{suffix}"
    if suffix == ".jsonl":
        path.write_text('{"id": 7, "text": "lost card", "tags": ["a"]}\n')
    elif suffix == ".tsv":
        path.write_text("id\ttext\n7\tlost card\n")
    else:
        pandas = pytest.importorskip("pandas")
        pytest.importorskip("pyarrow")
        pandas.DataFrame({"id": [7], "text": ["lost card"], "raw": [b"x"]}).to_parquet(path)
    (row,) = table(ran("predict", "model", path.name, "--keep", cwd=folder))
    assert list(row)[:3] == ["id", "text", "label"]  # lists and bytes are left out
    assert (row["id"], row["label"]) == ("7", "card/lost")


def test_members_that_a_line_of_json_lacks_are_kept_empty(folder, ran, run, facts):
    lines = ['{"text": "lost card", "note": "x"}', '{"text": "cash fee", "late": 1}']
    (folder / "asked.jsonl").write_text("\n".join(lines))
    rows = table(ran("predict", "model", "asked.jsonl", "--keep", cwd=folder))
    assert [(row["note"], row["label"]) for row in rows] == [("x", "card/lost"), ("", "cash")]
    assert "late" not in rows[0]
    kept = facts("predict", "model", "asked.jsonl", "--keep", cwd=folder)["columns"]
    assert kept["note"] == ["x", None]
    (folder / "asked.jsonl").write_text("\n".join([*lines, '{"note": "y"}']))
    done = run("predict", "model", "asked.jsonl", "--keep", cwd=folder)
    assert done.exit_code == 1
    assert "line 3: no 'text'; the object has note" in done.stderr


def test_rows_that_are_skipped_keep_the_others_beside_their_columns(folder, run):
    (folder / "holes.csv").write_text("id,text\n1,lost card\n2,\n3,cash fee\n")
    done = run("predict", "model", "holes.csv", "--keep", "--on-error", "skip", cwd=folder)
    rows = table(done.stdout)
    assert [(row["id"], row["line"], row["label"]) for row in rows] == [
        ("1", "2", "card/lost"), ("3", "4", "cash"),
    ]  # fmt: skip


def test_features_of_a_table_and_numbers_are_kept_too(folder, ran):
    rows = np.random.default_rng(0).random((30, 2))
    lines = [f"{a - b},{a},{b},{a + b}" for a, b in rows]
    (folder / "t.csv").write_text("\n".join(["price,a,b,value", *lines]))
    ran("learn", "t.csv", "--target", "price", "-o", "m", cwd=folder)
    found = table(ran("predict", "m", "t.csv", "--keep", cwd=folder))
    assert list(found[0]) == ["price", "a", "b", "value", "predicted_value", "lower", "upper"]
    assert float(found[0]["predicted_value"]) == pytest.approx(float(found[0]["price"]), abs=1e-3)


@pytest.mark.parametrize("n_lines", [5, 3000])
def test_blank_lines_have_empty_answers(folder, ran, facts, n_lines):
    random = np.random.default_rng(n_lines)
    lines = ["" if random.random() < 0.3 else "lost card" for _ in range(n_lines)]
    lines[-1] = "cash fee"
    (folder / "texts.txt").write_text("\n".join(lines) + "\n\n\n")
    answers = facts("predict", "model", "texts.txt", cwd=folder)["labels"]
    assert len(answers) == n_lines
    for line, answer in zip(lines, answers, strict=True):
        assert (answer is None) == (not line)
    assert answers[-1] == "cash"
    kept = table(ran("predict", "model", "texts.txt", "--keep", cwd=folder))
    assert [row["text"] for row in kept] == lines
    numbered = facts("predict", "model", "texts.txt", "--on-error", "skip", cwd=folder)
    assert numbered["lines"] == [i for i, line in enumerate(lines, start=1) if line]


def test_paths_are_answered_as_far_down_as_is_sure(folder, ran, run, facts):
    sure = facts(
        "predict", "model", "--row", "lost my card", "--path-confidence", "0.6", cwd=folder
    )
    assert sure["paths"] == ["card/lost"]
    unsure = facts("predict", "model", "--row", "my card", "--path-confidence", "0.7", cwd=folder)
    assert unsure["paths"][0] in ("card", "")
    found = facts("evaluate", "model", "train.csv", cwd=folder)
    assert found["accuracy_level_2"] == found["accuracy"] == 1.0
    (folder / "test.csv").write_text("text,label\nlost my card,card/new\ncash fee,cash\n")
    found = facts("evaluate", "model", "test.csv", cwd=folder)
    assert (found["accuracy_level_1"], found["accuracy_level_2"]) == (1.0, 0.5)
    assert "accuracy level 1" in ran("evaluate", "model", "test.csv", cwd=folder)
    done = run("predict", "model", "--row", "x", "--path-confidence", "2", cwd=folder)
    assert "confidence must be a number between 0 and 1" in done.stderr
    done = run("predict", "model", "--row", "x", "--keep", cwd=folder)
    assert "--keep keeps the columns of a file" in done.stderr
