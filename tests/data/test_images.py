"""Decoding images: what counts is what a viewer shows."""

import io
import os
import threading
import warnings

import numpy as np
import pytest

from faast.data import DataError, open_rows
from faast.data.images import read_image
from tests.data.rows import read

pil = pytest.importorskip("PIL.Image")


def encode(image, format="PNG", **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
def test_images_of_16_bits_keep_the_upper_8(format, rng):
    wide = rng.integers(3000, 42000, (9, 7)).astype(np.uint16)
    image = pil.fromarray(wide)
    rows = [encode(image, format), *([] if format == "PPM" else [image])]
    for row in rows:
        found = np.asarray(read_image(row))
        assert found.shape == (9, 7, 3)
        np.testing.assert_array_equal(found[..., 0], wide >> 8)


def test_big_endian_images_of_16_bits(rng):
    wide = rng.integers(0, 65536, (4, 5)).astype(">u2")
    row = pil.frombytes("I;16B", (5, 4), wide.tobytes())
    np.testing.assert_array_equal(np.asarray(read_image(row))[..., 2], wide >> 8)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_images_of_32_bits_are_refused(dtype):
    image = pil.fromarray(np.full((4, 4), 200, dtype))
    for row in (image, encode(image, "TIFF")):
        with pytest.raises(ValueError, match="pixels have 32 bits, of which the range is not"):
            read_image(row)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "array"])
def test_colours_under_transparent_pixels_do_not_count(mode):
    visible = np.zeros((6, 6), bool)
    visible[2:4, 1:5] = True

    def draw(hidden):
        if mode == "P":
            image = pil.fromarray(np.where(visible, 1, 0).astype(np.uint8), "L").convert("P")
            image.putpalette([hidden] * 3 + [90, 90, 90] + [0] * (254 * 3))
            return encode(image, transparency=0)
        pixels = np.full((6, 6, 4), (hidden, hidden, hidden, 0), np.uint8)
        pixels[visible] = (90, 90, 90, 255)
        if mode == "array":
            return pixels
        if mode == "RGB":
            return encode(pil.fromarray(pixels[..., :3].copy()), transparency=(hidden,) * 3)
        return encode(pil.fromarray(pixels).convert(mode))

    expected = np.where(visible[..., None], 90, 255).repeat(3, axis=2)
    for hidden in (0, 255, 17):
        np.testing.assert_array_equal(np.asarray(read_image(draw(hidden))), expected)


def test_half_transparent_pixels_are_mixed_with_white():
    image = pil.new("RGBA", (2, 2), (0, 0, 0, 128))
    assert np.asarray(read_image(image)).max() == 127


def test_filters_of_warnings_are_left_alone_in_threads(rng):
    rows = [encode(pil.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8))) for _ in range(4)]
    before, seen = list(warnings.filters), []
    stop = threading.Event()

    def watch():
        while not stop.is_set():
            seen.append(list(warnings.filters) == before)

    def work():
        for row in rows * 20:
            read_image(row)

    threads = [threading.Thread(target=work) for _ in range(4)]
    watcher = threading.Thread(target=watch)
    for thread in (watcher, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    watcher.join()
    assert seen
    assert all(seen)
    assert list(warnings.filters) == before


def test_sizes_are_checked_before_decoding_whatever_the_filters(monkeypatch):
    row = encode(pil.new("L", (40, 40)))
    monkeypatch.setattr(pil, "MAX_IMAGE_PIXELS", 1599)
    for action in ("error", "ignore"):
        with warnings.catch_warnings(action=action), pytest.raises(ValueError, match="too large"):
            read_image(row)
    with pytest.raises(ValueError, match="too large"):
        read_image(pil.new("L", (40, 40)))


def test_only_formats_of_images_are_decoded(tmp_path, monkeypatch):
    def run(*_args, **_options):
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.check_call", run)
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    for row in (path, path.read_bytes()):
        with pytest.raises(ValueError, match="none of the formats"):
            read_image(row)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_not_a_file_is_not_opened(make, tmp_path):
    from faast.encoders.digests import row_digest

    make(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a folder, a pipe or a device|there is no image"):
        read_image(tmp_path / "a.png")
    with pytest.raises(ValueError, match="a folder, a pipe or a device"):
        row_digest(tmp_path / "a.png", "image", 0)


def fill(folder, name="0.png"):
    folder.mkdir(parents=True, exist_ok=True)
    pil.new("RGB", (4, 4)).save(folder / name)


def test_hidden_folders_are_no_classes_and_linked_ones_are(tmp_path):
    root = tmp_path / ".hidden" / "root"  # only what lies inside the folder counts
    fill(root / "cat")
    fill(root / ".ipynb_checkpoints")
    fill(root / "cat" / ".ipynb_checkpoints")
    fill(root / "cat", ".0.png")
    fill(tmp_path / "store")
    (root / "dog").symlink_to(tmp_path / "store")
    (root / "cat" / "more").symlink_to(tmp_path / "store")
    source = open_rows(root, modality="image")
    rows, labels, _ = read(source)
    assert labels == ["cat", "cat", "dog"]
    assert [row.relative_to(root).as_posix() for row in rows] == [
        "cat/0.png",
        "cat/more/0.png",
        "dog/0.png",
    ]
    assert source.skipped == 0


def test_what_is_no_image_is_named_but_no_error(tmp_path):
    fill(tmp_path / "cat")
    (tmp_path / "README").touch()
    (tmp_path / "cat" / "1.heic").touch()
    (tmp_path / "dog" / "old").mkdir(parents=True)
    (tmp_path / "cat" / "again").symlink_to(tmp_path)
    source = open_rows(tmp_path, modality="image")
    assert read(source)[1] == ["cat"]
    assert source.skipped == 3
    assert [message.partition(": ")[2][:24] for message in source.messages] == [
        "cat/1.heic is no image: ",
        "cat/again is a link in a",
        "dog is a folder without ",
    ]


def test_links_that_lead_nowhere_are_bad_rows(tmp_path):
    fill(tmp_path / "cat")
    (tmp_path / "cat" / "1.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(DataError, match=r"image 2: there is no image .*1\.png"):
        read(open_rows(tmp_path, modality="image"))
