"""The command line on numbers: learn, add, forget, merge, predict, evaluate, inspect, export."""

import csv
import io
import json

import numpy as np
import pytest

import faast
from faast import FaastRegressor, TextRegressor


def write(path, n_rows, seed):
    random = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "price", "stars"])
        for _ in range(n_rows):
            rooms, garden = int(random.integers(1, 6)), int(random.integers(2))
            text = f"{'room ' * rooms}{'with garden ' * garden}near stop {random.integers(99)}"
            price = 300 + 200 * rooms + 150 * garden + 30 * random.standard_normal()
            table.writerow([text, round(price, 1), rooms])


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "train.csv", 80, 0)
    write(tmp_path / "more.csv", 30, 1)
    write(tmp_path / "test.csv", 40, 2)
    return tmp_path


@pytest.fixture
def model(folder, ran):
    ran("learn", "train.csv", "--target", "price", "-o", "model", cwd=folder)
    return folder / "model"


def answers(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_values_come_with_intervals(folder, model, ran, facts):
    assert type(faast.load(model)) is TextRegressor
    rows = answers(ran("predict", "model", "test.csv", cwd=folder))
    true = [float(row["price"]) for row in answers((folder / "test.csv").read_text())]
    assert list(rows[0]) == ["value", "lower", "upper"]
    inside = [float(r["lower"]) <= t <= float(r["upper"]) for r, t in zip(rows, true, strict=True)]
    assert np.mean(inside) > 0.7
    wide = answers(ran("predict", "model", "test.csv", "--interval", "0.98", cwd=folder))
    assert float(wide[0]["upper"]) > float(rows[0]["upper"])
    one = facts("predict", "model", "--row", "room room near stop 3", cwd=folder)
    assert one["lowers"][0] < one["values"][0] < one["uppers"][0]


def test_evaluation_measures_and_draws(folder, model, ran, facts):
    pytest.importorskip("matplotlib")
    found = facts("evaluate", "model", "test.csv", "--plot", "p.png", cwd=folder)
    assert found["rows"] == 40
    assert found["r2"] > 0.8
    assert found["mean_absolute_error"] < 100
    assert 0.7 < found["interval_coverage"] <= 1.0
    assert (folder / "p.png").read_bytes().startswith(b"\x89PNG")
    assert "mean absolute error" in ran("evaluate", "model", "test.csv", cwd=folder)


def test_rows_are_added_forgotten_and_merged_without_a_trace(folder, model, ran, facts):
    before = model.read_bytes()
    assert facts("add", "model", "more.csv", cwd=folder)["rows_added"] == 30
    forgotten = facts("forget", "model", "more.csv", cwd=folder)
    assert (forgotten["rows_forgotten"], forgotten["rows_left"], forgotten["targets"]) == (
        30,
        80,
        1,
    )
    assert model.read_bytes() == before
    ran("learn", "more.csv", "--target", "price", "-o", "other", cwd=folder)
    assert facts("merge", "model", "other", "-o", "both", cwd=folder)["rows"] == 110
    ran("add", "model", "more.csv", cwd=folder)
    assert (folder / "both").read_bytes() == model.read_bytes()


@pytest.mark.parametrize(
    "option", [["--target", "price,stars"], ["--target=price", "--target=stars"]]
)
def test_several_numbers_a_row(folder, ran, facts, option):
    ran("learn", "train.csv", *option, "-o", "m", cwd=folder)
    shown = facts("inspect", "m", cwd=folder)
    assert (shown["targets"], shown["numbers"]) == (2, ["price", "stars"])
    assert all(0.5 < r2 <= 1 for r2 in shown["leave_one_out_r2"])
    (row,) = answers(ran("predict", "m", "--row", "room room", cwd=folder))
    assert list(row)[:4] == ["price_value", "price_lower", "price_upper", "stars_value"]
    found = facts("evaluate", "m", "test.csv", cwd=folder)
    assert found["stars_r2"] > 0.8
    assert found["price_interval_coverage"] > 0.7


def test_tables_of_numbers_match_columns_by_name(folder, ran, facts):
    rows = np.random.default_rng(0).random((40, 2))
    lines = [f"{a},{b},{3 * a - b}" for a, b in rows]
    (folder / "t.csv").write_text("\n".join(["a,b,y2", *lines]))
    turned = [f"{3 * a - b},{b},{a}" for a, b in rows]
    (folder / "turned.csv").write_text("\n".join(["y2,b,a", *turned]))
    ran("learn", "t.csv", "--target", "y2", "-o", "m", cwd=folder)
    assert type(faast.load(folder / "m")) is FaastRegressor
    assert facts("evaluate", "m", "turned.csv", cwd=folder)["r2"] > 0.999
    shown = answers(ran("predict", "m", "turned.csv", cwd=folder))
    assert float(shown[0]["value"]) == pytest.approx(3 * rows[0, 0] - rows[0, 1], abs=1e-3)


def test_images_of_a_manifest(tmp_path, ran, facts):
    pil = pytest.importorskip("PIL.Image")
    (tmp_path / "photos").mkdir()
    lines = ["file_name,shade"]
    for shade in range(0, 250, 10):
        image = np.full((16, 16, 3), 255, np.uint8)
        image[:, : shade // 25] = shade
        pil.fromarray(image).save(tmp_path / "photos" / f"{shade}.png")
        lines.append(f"{shade}.png,{shade}")
    (tmp_path / "photos" / "metadata.csv").write_text("\n".join(lines))
    learned = facts("learn", "photos", "--target", "shade", "-o", "m", cwd=tmp_path)
    assert learned["rows"] == 25
    assert facts("evaluate", "m", "photos", cwd=tmp_path)["r2"] > 0.8


def test_models_made_in_python_are_told_their_columns(folder, facts, run):
    TextRegressor().fit(["room", "room room"] * 5, [1.0, 2.0] * 5).save(folder / "bare")
    done = run("evaluate", "bare", "test.csv", cwd=folder)
    assert "predicts 1 number per row, but --target names 0 columns" in done.stderr
    assert facts("evaluate", "bare", "test.csv", "--target", "stars", cwd=folder)["rows"] == 40
    assert facts("predict", "bare", "test.csv", "--text-column", "text", cwd=folder)["rows"] == 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("learn", "bad.csv", "--target", "price", "-o", "x"), "line 3: price is 'abc'; expected"),
        (("learn", "train.csv", "--target", "cost", "-o", "x"), "train.csv has no column 'cost'"),
        (("learn", "train.csv", "--target", "text", "-o", "x"), "text is"),
        (("learn", "train.csv", "--target", "price", "--novelty", "-o", "x"), "are for labels"),
        (("add", "model", "bad.csv"), "bad.csv, line 3: price is 'abc'"),
        (("forget", "model", "test.csv"), "test.csv, line 2: "),
        (("predict", "model", "test.csv", "--interval", "1"), "coverage must be a number between"),
        (("evaluate", "model", "test.csv", "--target", "price,stars"), "--target names 2 columns"),
        (("evaluate", "words", "test.csv", "--target", "price"), "the model predicts labels"),
        (("merge", "model", "words", "-o", "x"), "cannot be merged with one of numbers"),
        (("classes", "rename", "model", "a", "b"), "predicts numbers; this command takes models"),
    ],
)
def test_failures_name_what_is_wrong_and_change_nothing(folder, model, run, arguments, message):
    (folder / "bad.csv").write_text("text,price\nfine,1\nodd,abc\n")
    (folder / "words.csv").write_text("text,label\na b,x\nc d,y\n")
    run("learn", "words.csv", "-o", "words", cwd=folder)
    before = model.read_bytes()
    done = run(*arguments, cwd=folder)
    assert done.exit_code == 1, done.output
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert model.read_bytes() == before
    assert not (folder / "x").exists()


def test_skipped_rows_are_counted(folder, run):
    (folder / "holes.csv").write_text("text,price\nroom,1\nshed,\nroom room,2\nhall,three\n")
    done = run(
        "learn", "holes.csv", "--target", "price", "-o", "m", "--on-error", "skip", "--json",
        cwd=folder,
    )  # fmt: skip
    assert json.loads(done.stdout)["rows_skipped"] == 2
    assert "skipped: holes.csv, line 3: price is missing" in done.stderr


def test_an_exported_graph_predicts_alike(folder, model, ran):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    ran("export", "model", "--onnx", "m.onnx", cwd=folder)
    loaded = faast.load(model)
    features = loaded.encode(["room room garden"])
    (value,) = runtime.InferenceSession(folder / "m.onnx").run(None, {"features": features})
    assert value == pytest.approx(loaded.predict(["room room garden"]), rel=1e-6)
