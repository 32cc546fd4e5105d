"""The image encoder without weights."""

import subprocess
import sys

import numpy as np
import pytest

from faast.encoders import load_encoder

image = pytest.importorskip("PIL.Image")


def test_rows_have_norm_one_and_do_not_depend_on_their_batch(images):
    encoder = load_encoder("pixels")
    features = encoder.encode(images)
    assert features.dtype == np.float32
    assert features.shape == (5, encoder.n_features)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1.0, atol=1e-6)
    for pixels, row in zip(images, features, strict=True):
        np.testing.assert_array_equal(encoder.encode([pixels])[0], row)
    assert encoder.encode_labels(["cat"]) is None


def test_paths_images_and_arrays_are_one(images, tmp_path):
    encoder = load_encoder("pixels")
    path = tmp_path / "a.png"
    image.fromarray(images[0]).save(path)
    rows = encoder.encode([path, str(path), image.open(path), images[0]])
    assert np.unique(rows, axis=0).shape[0] == 1
    grey = np.full((9, 9), 100, np.uint8)
    np.testing.assert_array_equal(
        encoder.encode([grey])[0], encoder.encode([np.repeat(grey[..., None], 3, 2)])[0]
    )


def test_turned_camera(images, tmp_path):
    """An image that is stored sideways, with a note that says so, is read upright."""
    exif = image.Exif()
    exif[0x0112] = 6
    image.fromarray(images[0]).save(tmp_path / "a.png", exif=exif)
    upright = np.rot90(images[0], -1)
    encoder = load_encoder("pixels")
    np.testing.assert_array_equal(encoder.encode([tmp_path / "a.png"]), encoder.encode([upright]))


def test_digits_are_told_apart():
    from sklearn.datasets import load_digits
    from sklearn.linear_model import RidgeClassifier

    digits = load_digits()
    images = (digits.images * 15.9).astype(np.uint8)
    features = load_encoder("pixels").encode(images)
    model = RidgeClassifier(alpha=0.1).fit(features[:1000], digits.target[:1000])
    assert model.score(features[1000:], digits.target[1000:]) > 0.95


def test_colour_tells_apart_where_shape_does_not():
    red = np.zeros((16, 16, 3), np.uint8)
    blue = red.copy()
    red[4:12, 4:12, 0] = blue[4:12, 4:12, 2] = 255
    a, b = load_encoder("pixels").encode([red, blue])
    assert 0.5 < a @ b < 0.95


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (np.zeros((4, 4, 3)), "row 0: an image array must be uint8 .* got float64"),
        (np.zeros((4, 4, 2), np.uint8), r"got uint8 of shape \(4, 4, 2\)"),
        ("gone.png", r"row 0: there is no image gone\.png"),
        ("the film is good", r"no image the film is good; .* texts need a model of texts"),
        ("a\0b.png", "row 0: there is no image a\0b"),
        (3.5, "row 0: an image must be a path, .* got float"),
    ],
)
def test_rows_that_are_no_images(row, message):
    with pytest.raises(ValueError, match=message):
        load_encoder("pixels").encode([row])


def test_damaged_files_are_named_and_nothing_else_is_said(tmp_path, monkeypatch, recwarn):
    odd = image.new("P", (9, 9))
    odd.info["transparency"] = b"\0" * 9  # of which Pillow warns when it becomes RGB
    odd.save(tmp_path / "odd.png")
    load_encoder("pixels").encode([tmp_path / "odd.png"])
    path = tmp_path / "a.ppm"
    path.write_bytes(b"P6 8 x8 255 ")
    with pytest.raises(ValueError, match=r"row 0: cannot read the image .*a\.ppm: .*damaged"):
        load_encoder("pixels").encode([path])
    image.fromarray(np.zeros((9, 9), np.uint8)).save(path)
    for pixels in (80, 40):  # Pillow warns beyond so many, and stops beyond twice as many
        monkeypatch.setattr(image, "MAX_IMAGE_PIXELS", pixels)
        with pytest.raises(ValueError, match=r"the image .*a\.ppm is too large: .*; scale it"):
            load_encoder("pixels").encode([path])
    assert not recwarn.list


@pytest.mark.skipif(sys.platform == "win32", reason="needs the module resource")
def test_large_images_are_in_memory_one_after_the_other(tmp_path):
    image.new("1", (6000, 6000)).save(tmp_path / "a.png")
    code = (
        "import resource, sys; from faast.encoders import load_encoder\n"
        "encoder = load_encoder('pixels'); peak = []\n"
        "for n in (1, 6):\n"
        "    encoder.encode([sys.argv[1]] * n)\n"
        "    peak.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
        "print(peak[1] / peak[0])"
    )
    path = str(tmp_path / "a.png")
    ran = subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=True)
    assert float(ran.stdout) < 1.2
