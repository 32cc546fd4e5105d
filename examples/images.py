"""Learn a folder of images, one sub-folder a class.

Run ``python examples/images.py [FOLDER]``; without a folder it draws stripes. It needs Pillow. With
the extra ``image``, write ``ImageClassifier("clip:openai/clip-vit-base-patch32")`` for photographs.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from faast import ImageClassifier
from faast.data import open_rows


def draw(folder: Path, n_images: int = 12) -> None:
    """Draw striped images, in a folder for each direction of the stripes."""
    random = np.random.default_rng(0)
    stripes = np.arange(32) // 4 % 2
    for kind, pattern in {
        "rows": stripes[:, None, None],
        "columns": stripes[None, :, None],
    }.items():
        (folder / kind).mkdir(parents=True)
        for number in range(n_images):
            noise = random.integers(0, 60, (32, 32, 3))
            pixels = noise + pattern * random.integers(120, 190, 3)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / kind / f"{number}.png")


def main(folder: Path) -> None:
    """Hold out the last image of each class, and learn the others."""
    rows, labels = [], []
    for paths, names, _ in open_rows(folder, modality="image"):
        rows += paths
        labels += names
    held_out = [max(i for i, name in enumerate(labels) if name == kind) for kind in set(labels)]
    learned = [i for i in range(len(rows)) if i not in held_out]

    model = ImageClassifier("pixels")
    model.fit([rows[i] for i in learned], [labels[i] for i in learned])
    for i in sorted(held_out):
        print(f"{labels[i]}: {model.predict([rows[i]])[0]}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as drawn:
            draw(Path(drawn))
            main(Path(drawn))
