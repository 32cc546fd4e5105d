"""The command line on tables of numbers: files, exit codes and messages."""

import numpy as np
import pytest
from sklearn.datasets import load_digits


def write_csv(path, rows, labels):
    header = [*(f"f{i}" for i in range(rows.shape[1])), "label"]
    lines = [",".join(header)]
    lines += [
        ",".join([*map(repr, row.tolist()), str(label)])
        for row, label in zip(rows, labels, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    images, digits = load_digits(return_X_y=True)
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    np.savez(folder / "train.npz", features=images[:600], label=digits[:600])
    np.savez(folder / "more.npz", features=images[600:1000], label=digits[600:1000])
    np.savez(folder / "test.npz", features=images[1000:], label=digits[1000:])
    write_csv(folder / "train.csv", images[:200], np.array([f"digit {d}" for d in digits[:200]]))
    write_csv(folder / "test.csv", images[1000:], np.array([f"digit {d}" for d in digits[1000:]]))
    return folder


def test_learn_evaluate_predict_inspect(folder, facts, ran):
    learned = facts("learn", "train.npz", "-o", "model", cwd=folder)
    assert learned["rows"] == 600
    assert learned["classes"] == 10
    evaluated = facts("evaluate", "model", "test.npz", cwd=folder)
    assert 0.85 < evaluated["accuracy"] <= 1.0
    predicted = facts("predict", "model", "test.npz", cwd=folder)
    answers = np.load(folder / "test.npz")["label"]
    assert np.mean(np.array(predicted["labels"]) == answers) == pytest.approx(evaluated["accuracy"])
    lines = ran("predict", "model", "test.npz", cwd=folder).splitlines()
    assert lines[0] == "label,probability,runner_up,runner_up_probability"
    assert len(lines) == len(answers) + 1
    assert facts("inspect", "model", cwd=folder)["labels"] == list(range(10))
    assert "600" in ran("inspect", "model", cwd=folder)


def test_csv_with_text_labels(folder, facts, ran):
    ran("learn", "train.csv", "-o", "from_csv", cwd=folder)
    assert facts("evaluate", "from_csv", "test.csv", cwd=folder)["accuracy"] > 0.8
    assert facts("inspect", "from_csv", cwd=folder)["labels"][0] == "digit 0"


def test_merge_then_forget_is_the_first_model_again(folder, facts, ran):
    ran("learn", "train.npz", "-o", "first", cwd=folder)
    ran("learn", "more.npz", "-o", "second", cwd=folder)
    assert facts("merge", "first", "second", "-o", "both", cwd=folder)["rows"] == 1000
    assert facts("forget", "both", "more.npz", cwd=folder)["rows_left"] == 600
    assert (folder / "both").read_bytes() == (folder / "first").read_bytes()


def test_every_json_result_is_one_flat_object(folder, facts, ran):
    ran("learn", "train.npz", "-o", "flat", cwd=folder)
    for arguments in (("evaluate", "flat", "test.npz"), ("inspect", "flat"), ("demo",)):
        result = facts(*arguments, cwd=folder)
        assert not any(isinstance(value, dict) for value in result.values())


def test_demo_shows_what_it_promises(folder, facts, ran):
    shown = ran("demo", cwd=folder)
    assert "bitwise what it was" in shown.replace("\n", " ")
    assert "new class 9" in shown
    result = facts("demo", cwd=folder)
    assert result["forgotten_without_a_trace"] is True
    assert result["faast_accuracy"] > 0.9
    assert result["faast_adaptation_seconds"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("learn", "absent.csv", "-o", "x"), "there is no file absent.csv"),
        (("learn", "train.npz", "-o", "x", "--label-column", "kind"), "no column 'kind'"),
        (("learn", "notes.txt", "-o", "x"), "notes.txt has no column 'label'"),
        (
            ("learn", "broken.csv", "-o", "x"),
            "broken.csv, line 3: the features are not all numbers: could",
        ),
        (("learn", "ragged.csv", "-o", "x"), "ragged.csv, line 2: 1 fields, the header has 3"),
        (("learn", "empty.csv", "-o", "x"), "is empty"),
        (("learn", "nan.csv", "-o", "x"), "nan.csv, line 2: the features contain NaN"),
        (("learn", "pickled.npz", "-o", "x"), "holds Python objects"),
        (("evaluate", "notes.txt", "test.npz"), "not a complete safetensors file"),
        (("predict", "nowhere", "test.npz"), "there is no model file"),
    ],
)
def test_failures_are_one_line_and_exit_status_one(folder, run, arguments, message):
    (folder / "notes.txt").write_text("not a table")
    (folder / "broken.csv").write_text("a,b,label\n1,2,x\n1,two,x\n")
    (folder / "ragged.csv").write_text("a,b,label\n1\n")
    (folder / "empty.csv").write_text("")
    (folder / "nan.csv").write_text("a,b,label\n1,nan,x\n1,2,x\n")
    np.savez(folder / "pickled.npz", features=np.array([{"a": 1}], dtype=object))
    done = run(*arguments, cwd=folder)
    assert done.exit_code == 1
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert not (folder / "x").exists()


def test_wrong_usage_exits_with_status_two(folder, run):
    assert run("learn", cwd=folder).exit_code == 2
    assert run("no-such-command", cwd=folder).exit_code == 2


def test_forgetting_strangers_leaves_the_model_file_alone(folder, ran, run):
    ran("learn", "train.npz", "-o", "kept", cwd=folder)
    before = (folder / "kept").read_bytes()
    done = run("forget", "kept", "more.npz", cwd=folder)
    assert done.exit_code == 1
    assert "never learned" in done.stderr
    assert (folder / "kept").read_bytes() == before
