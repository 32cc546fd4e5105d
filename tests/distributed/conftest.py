"""One Ray of two cores for all tests of this folder, and rows to learn on it."""

import csv
import os

import numpy as np
import pytest

from faast.encoders import load_encoder

CLASSES = 4


def write_rows(path, table, every=1):
    rows = list(zip(*table, strict=True))[::every]
    with path.open("w", newline="") as opened:
        csv.writer(opened).writerows([("text", "label"), *rows])


@pytest.fixture(scope="session")
def ray():
    ray = pytest.importorskip("ray")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        logging_level="ERROR",
        log_to_driver=False,
    )
    yield ray
    ray.shutdown()


@pytest.fixture(scope="session")
def encoder():
    return load_encoder("hashing", n_features=24)


@pytest.fixture(scope="session")
def table():
    """6,000 short texts, more than a memory keeps, and their labels: one comes late."""
    rng = np.random.default_rng(0)
    codes = np.sort(rng.integers(0, CLASSES, 6000)[:, None], axis=0)[:, 0]
    numbers = rng.integers(0, 60, (6000, 5)) + 30 * codes[:, None]
    texts = [" ".join(f"word{n}" for n in row) for row in numbers.tolist()]
    return texts, [f"class {code}" for code in codes.tolist()]


@pytest.fixture(scope="session")
def file(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    write_rows(path, table)
    return path


@pytest.fixture(scope="session")
def alone(table, encoder):
    """The model of one process."""
    from faast import TextClassifier

    return TextClassifier(encoder).fit(*table)


@pytest.fixture
def content(tmp_path):
    """What a model's file holds."""

    def content(model):
        model.save(tmp_path / "model")
        return (tmp_path / "model").read_bytes()

    return content
