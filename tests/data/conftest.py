import numpy as np
import pytest


@pytest.fixture
def image_folder(tmp_path):
    """Two classes of three small images each."""
    image = pytest.importorskip("PIL.Image")
    random = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for i in range(3):
            pixels = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            image.fromarray(pixels).save(tmp_path / "pets" / label / f"{i}.png")
    return tmp_path / "pets"
