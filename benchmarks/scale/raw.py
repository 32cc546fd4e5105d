"""From raw rows to answers, with the command line: accuracy, time and memory.

Run ``python -m benchmarks.scale.raw [--shared FOLDER]``; it writes results/scale/raw.md. Every command runs in
a process of its own. The folder holds text/{banking77,trec}_{train,test}.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
from safetensors import safe_open

from benchmarks._lib.paths import DATA, results_folder

IMAGES_A_CLASS = 200


def faast(*arguments):
    """Run a command; return its facts with wall seconds and peak memory."""
    before = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "faast", *map(str, arguments), "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    stdout = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"faast {' '.join(map(str, arguments))} failed")
    return json.loads(stdout) | {
        "wall": time.perf_counter() - before,
        "peak_mb": usage.ru_maxrss / 1024,
    }


# -- texts -------------------------------------------------------------------------------------


def texts(name, encoder, shared, folder):
    """Learn, add a class, forget it, evaluate and compare: one row of the table."""
    train, test = (shared / "text" / f"{name}_{part}.csv" for part in ("train", "test"))
    held = folder / f"{name}-late.csv"
    early = folder / f"{name}-early.csv"
    late = split_off_last_class(train, early, held)
    model = folder / f"{name}-{encoder}"
    learned = faast("learn", train, "-o", model, "--encoder", encoder)
    evaluated = faast("evaluate", model, test)
    grown = folder / f"{name}-{encoder}-grown"
    keep = ["--keep-features"] if encoder != "hashing" else []
    faast("learn", early, "-o", grown, "--encoder", encoder, *keep)
    before = moments_in(grown)
    faast("add", grown, held)
    assert late in faast("inspect", grown)["labels"]
    faast("forget", grown, held)
    unchanged = moments_in(grown) == before
    compared = faast("compare", train, test, "--encoder", encoder, "--method", "logistic")
    return (
        f"| {name} | {encoder} | {evaluated['accuracy']:.1%} | {compared['faast_accuracy']:.1%} | "
        f"{compared['logistic_accuracy']:.1%} | {evaluated['calibration_error']:.3f} | "
        f"{learned['wall']:.1f} | {learned['learning_seconds'] / learned['wall']:.1%} | "
        f"{compared['logistic_fit_seconds']:.1f} | {'yes' if unchanged else 'NO'} |"
    )


def moments_in(model):
    """Read the sums in a model file: exact however many rows; the sample of rows is not."""
    with safe_open(model, "np") as file:
        names = [name for name in file.keys() if "moments" in name]  # noqa: SIM118
        assert names
        return {name: file.get_tensor(name).tobytes() for name in names}


def split_off_last_class(train, early, held):
    with train.open(newline="") as file:
        rows = list(csv.DictReader(file))
    late = max(Counter(row["label"] for row in rows))
    for path, part in ((early, False), (held, True)):
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(row for row in rows if (row["label"] == late) is part)
    return late


# -- images ----------------------------------------------------------------------------------


def draw_images(folder, n, seed):
    """Write 32 x 32 images of ten patterns: noisy, shifted, of any colours."""
    from PIL import Image

    random = np.random.default_rng(seed)
    y, x = np.mgrid[:32, :32]
    for kind in range(10):
        place = folder / f"pattern_{kind}"
        place.mkdir(parents=True)
        for number in range(n):
            turn = np.pi * kind / 10 + random.normal(0, 0.12)
            phase, period = random.uniform(0, 6.3), random.uniform(4, 9)
            wave = np.sin(2 * np.pi * (x * np.cos(turn) + y * np.sin(turn)) / period + phase)
            colours = random.uniform(0, 255, (2, 3))
            share = (wave[..., None] + 1) / 2
            pixels = share * colours[0] + (1 - share) * colours[1]
            pixels += random.normal(0, 25, pixels.shape)
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(place / f"{number}.png")


def images(folder):
    draw_images(folder / "train", IMAGES_A_CLASS, 0)
    draw_images(folder / "test", IMAGES_A_CLASS // 4, 1)
    learned = faast("learn", folder / "train", "-o", folder / "images")
    evaluated = faast("evaluate", folder / "images", folder / "test")
    compared = faast("compare", folder / "train", folder / "test", "--method", "logistic")
    return (
        f"- {10 * IMAGES_A_CLASS:,} PNGs of ten noisy patterns in class folders, `pixels`: "
        f"**{evaluated['accuracy']:.1%}** (logistic regression "
        f"{compared['logistic_accuracy']:.1%}), learned in {learned['wall']:.1f} s."
    )


# -- a long file -------------------------------------------------------------------------------


def write_long(path, n_rows):
    random = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(5000)])
    with path.open("w") as file:
        file.write("text,label\n")
        for _ in range(n_rows // 1000):
            labels = random.integers(0, 20, 1000)
            picks = random.integers(0, 5000, (1000, 8))
            picks[:, :3] = labels[:, None] * 250 + random.integers(0, 250, (1000, 3))
            for label, pick in zip(labels, picks, strict=True):
                file.write(f"{' '.join(words[pick])},topic_{label}\n")


def long_file(folder, n_rows):
    write_long(folder / "long.csv", n_rows)
    model = folder / "long"
    learned = faast("learn", folder / "long.csv", "-o", model, "--encoder", "hashing")
    before, kept = model.read_bytes(), 0
    moments = (1, 4, 8, 16)
    for seconds in moments:
        process = subprocess.Popen(
            [sys.executable, "-m", "faast", "add", str(model), str(folder / "long.csv")],
            stderr=subprocess.DEVNULL,
        )
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        kept += process.wait() in (130, -signal.SIGINT) and model.read_bytes() == before
    return (
        f"- {n_rows:,} rows of CSV ({(folder / 'long.csv').stat().st_size / 1e6:.0f} MB), "
        f"`hashing`: {learned['wall']:.0f} s, peak memory **{learned['peak_mb']:.0f} MB**; "
        f"interrupted after {', '.join(map(str, moments))} s, the model file was whole and "
        f"unchanged {kept} times of {len(moments)}."
    )


def report(shared, folder, long_rows):
    head = [
        "# From raw rows, with the command line",
        "",
        f"`python -m benchmarks.scale.raw --long-rows {long_rows}`, {date.today().isoformat()}, {os.cpu_count()} "
        f"cores, Python {platform.python_version()}, numpy {np.__version__}. Each command in a process of "
        "its own; seconds vary with what else the machine does, shares and accuracies do not.",
        "",
        "`faast learn`, then `faast evaluate`: accuracy of the saved model (minilm: with the names "
        "of the classes as prior), and on the same features without names beside logistic "
        "regression (C chosen by held-out likelihood). Learning share: of the wall time of "
        "`faast learn`, all that is neither reading nor encoding. Forgotten: a class added and "
        "forgotten by other processes leaves the moments bit for bit as before.",
        "",
        "| data | encoder | accuracy | no names | logistic | calibration error | seconds to learn "
        "| learning share | logistic seconds | forgotten |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    table, notes = [], []
    page = results_folder("scale") / "raw.md"

    def write():
        page.write_text("\n".join([*head, *table, "", *notes, ""]))

    for encoder in ("minilm", "hashing"):
        for name in ("trec", "banking77"):
            table.append(texts(name, encoder, shared, folder))
            write()
        if not notes:
            notes += [long_file(folder, long_rows), images(folder)]
            write()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--shared",
        type=Path,
        default=DATA,
    )
    parser.add_argument("--long-rows", type=int, default=1_000_000)
    options = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    with tempfile.TemporaryDirectory() as folder:
        report(options.shared, Path(folder), options.long_rows)


if __name__ == "__main__":
    main()
