import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from tests.checkpoints import bert as bert
from tests.checkpoints import clip as clip
from tests.checkpoints import dinov2 as dinov2
from tests.checkpoints import siglip as siglip
from tests.checkpoints import tokenizer as tokenizer
from tests.checkpoints import torch as torch

settings.register_profile("ci", derandomize=True)  # a failure there can be repeated anywhere
if os.environ.get("CI"):
    settings.load_profile("ci")


def shared_folder() -> Path | None:
    """Reference data that is not part of the project, where this machine has it."""
    named = os.environ.get("FAAST_SHARED")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def shared():
    folder = shared_folder()
    if folder is None:
        pytest.skip("reference data absent: set FAAST_SHARED to the folder that holds it")
    return folder


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def unit_rows(rng):
    """60 unit rows of 12 features with their one-hot classes."""
    rows = rng.standard_normal((60, 12))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows, np.eye(4)[rng.integers(0, 4, 60)]


@pytest.fixture
def images():
    """Five random images of different sizes."""
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (12 + i, 20, 3), dtype=np.uint8) for i in range(5)]
