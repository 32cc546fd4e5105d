"""Parquet, npz, Hugging Face datasets, folders of images and manifests."""

import shutil

import numpy as np
import pytest

from faast.data import DataError, open_rows
from tests.data.rows import read


@pytest.fixture
def parquet(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    table = pytest.importorskip("pyarrow.parquet")

    def write(**columns):
        table.write_table(arrow.table(columns), tmp_path / "a.parquet")
        return tmp_path / "a.parquet"

    return write


def test_parquet(parquet):
    path = parquet(text=["a", "b", None], label=[1, 2, 3], other=[0.5, 0.5, 0.5])
    with pytest.raises(DataError, match=r"a\.parquet, row 3: the text must be a string, got None"):
        read(open_rows(path))
    source = open_rows(path, on_error="skip")
    assert read(source) == (["a", "b"], [1, 2], [1, 2])
    assert source.skipped == 1
    assert source.fraction == 1.0
    with pytest.raises(DataError, match=r"no column 'y2'; its columns are text, label, other"):
        read(open_rows(path, label_column="y2"))
    with pytest.raises(DataError, match=r"a\.parquet has no splits"):
        open_rows(path, split="test")
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match=r"cannot read .*a\.parquet as Parquet"):
        read(open_rows(path))


def test_parquet_that_names_a_column_twice(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table([["a"], ["b"], ["x"]], names=["text", "text", "label"])
    pytest.importorskip("pyarrow.parquet").write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet: column 'text' is there twice; rename one"):
        read(open_rows(tmp_path / "a.parquet"))


def test_parquet_of_images(parquet, image_folder):
    good = (image_folder / "cat" / "0.png").read_bytes()
    path = parquet(image=[{"bytes": good}, {"bytes": good[:-60]}], label=["cat", "cat"])
    source = open_rows(path, modality="image", on_error="skip")
    assert read(source) == ([good], ["cat"], [1])
    assert "a.parquet, row 2: cannot read the image" in source.messages[0]


def test_npz_tables_are_read_in_blocks(tmp_path):
    random = np.random.default_rng(0)
    features = random.normal(size=(2500, 7)).astype(np.float32)
    labels = random.integers(0, 3, 2500)
    path = tmp_path / "a.npz"
    for save in (np.savez, np.savez_compressed):
        save(path, features=features, labels=labels)
        rows, read_labels, numbers = read(open_rows(path, modality="features"))
        np.testing.assert_array_equal(np.stack(rows), features)
        assert read_labels == labels.tolist()
        assert numbers == list(range(2500))
    np.savez(path, X=features, y=labels.astype(str))
    assert read(open_rows(path, modality="features"))[1] == labels.tolist()


def test_npz_members_in_a_folder_are_named_with_it(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, **{"train/features": np.eye(2), "train/label": [0, 1]})
    with pytest.raises(DataError, match=r"no column 'label'; .* are train/features, train/label"):
        read(open_rows(path, modality="features"))
    columns = {"row_column": "train/features", "label_column": "train/label"}
    assert read(open_rows(path, modality="features", **columns))[1] == [0, 1]


def test_npz_that_cannot_be_read(tmp_path):
    path = tmp_path / "a.npz"
    good = np.ones((3, 2))
    np.savez(path, features=good, label=np.array([{}, 1, None]))
    with pytest.raises(DataError, match=r"'label' holds Python objects, which are not read"):
        read(open_rows(path, modality="features"))
    np.savez(path, features=good, label=[1, 2])
    with pytest.raises(DataError, match=r"the arrays differ in length"):
        read(open_rows(path, modality="features"))
    np.savez(path, features=np.asfortranarray(good), label=[1, 2, 3])
    with pytest.raises(DataError, match=r"'features' is stored by columns"):
        read(open_rows(path, modality="features"))
    np.savez(path, features=np.array([[1.0, 2.0], [np.nan, 1.0]]), label=[1, 2])
    with pytest.raises(DataError, match=r"a\.npz, row 1: the features contain NaN or inf"):
        read(open_rows(path, modality="features"))
    path.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(DataError, match=r"cannot read .*a\.npz as an npz archive"):
        read(open_rows(path, modality="features"))


def test_features_spread_over_the_columns_of_a_table(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("f1,f2,label\n1,2.5,a\n-3,0,b\nx,1,a\n")
    source = open_rows(path, modality="features", on_error="skip")
    rows, labels, _ = read(source)
    np.testing.assert_array_equal(rows, [[1, 2.5], [-3, 0]])
    assert labels == ["a", "b"]
    assert "line 4: the features are not all numbers" in source.messages[0]


def test_feature_rows_of_different_widths(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"features": [1, 2], "label": 0}\n{"features": [1], "label": 0}\n')
    with pytest.raises(DataError, match=r"line 2: 1 features, the first row has 2"):
        read(open_rows(path, modality="features"))


def test_datasets(tmp_path):
    library = pytest.importorskip("datasets")
    features = library.Features(
        {"text": library.Value("string"), "label": library.ClassLabel(names=["bad", "good"])}
    )
    data = library.Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, 1]}, features)
    expected = (["a", "b", "c"], ["good", "bad", "good"], [0, 1, 2])
    assert read(open_rows(data)) == expected
    assert read(open_rows(data.to_iterable_dataset())) == expected
    data.save_to_disk(tmp_path / "one")
    assert read(open_rows(tmp_path / "one")) == expected
    splits = library.DatasetDict({"train": data, "test": data.select([0])})
    splits.save_to_disk(tmp_path / "many")
    assert read(open_rows(tmp_path / "many", split="test"))[0] == ["a"]
    assert read(open_rows(splits, split="train")) == expected
    with pytest.raises(DataError, match=r"has the splits train, test; name one with split"):
        open_rows(tmp_path / "many")
    with pytest.raises(DataError, match=r"has the splits train, test; not 'dev'"):
        open_rows(splits, split="dev")
    unlabelled = library.Dataset.from_dict({"text": ["a"], "label": [-1]}, features)
    with pytest.raises(DataError, match=r"dataset has no splits such as 'test'"):
        open_rows(data, split="test")
    with pytest.raises(DataError, match=r"dataset, row 0: the label is missing"):
        read(open_rows(unlabelled))
    with pytest.raises(DataError, match=r"no column 'body'; its columns are text, label"):
        read(open_rows(data, row_column="body"))
    (tmp_path / "one" / "state.json").write_text("{")
    with pytest.raises(DataError, match=r"cannot read .*one as a saved dataset"):
        open_rows(tmp_path / "one")


def test_dataset_of_images(image_folder):
    library = pytest.importorskip("datasets")
    paths = [str(path) for path in sorted(image_folder.rglob("*.png"))]
    broken = image_folder / "broken.png"
    broken.write_bytes(b"no image")
    data = library.Dataset.from_dict({"image": [*paths, str(broken)], "label": [0] * 7})
    data = data.cast_column("image", library.Image())
    source = open_rows(data, modality="image", on_error="skip")
    assert len(read(source)[0]) == 6
    assert "dataset, row 6: cannot read the image" in source.messages[0]


def test_folder_of_images(image_folder):
    rows, labels, numbers = read(open_rows(image_folder, modality="image"))
    assert [row.relative_to(image_folder).as_posix() for row in rows][::3] == [
        "cat/0.png",
        "dog/0.png",
    ]
    assert labels == ["cat"] * 3 + ["dog"] * 3
    assert numbers == [1, 2, 3, 4, 5, 6]


def test_folders_that_are_not_class_folders(image_folder, tmp_path):
    shutil.copy(image_folder / "cat" / "0.png", image_folder / "stray.png")
    with pytest.raises(DataError, match=r"image 7: stray\.png lies in no class folder; move it"):
        read(open_rows(image_folder, modality="image"))
    assert len(read(open_rows(image_folder, modality="image", label_column=None))[0]) == 7
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no images .*those of each class into a sub-folder"):
        read(open_rows(tmp_path / "empty", modality="image"))


@pytest.mark.parametrize("modality", ["text", "features"])
def test_images_where_other_rows_are_expected(image_folder, modality):
    with pytest.raises(DataError, match=f"pets is a folder of images, .* takes {modality} rows"):
        open_rows(image_folder, modality=modality)


def test_damaged_images(image_folder):
    damaged = image_folder / "dog" / "1.png"
    damaged.write_bytes(damaged.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"image 5: cannot read the image .*dog/1\.png"):
        read(open_rows(image_folder, modality="image"))
    source = open_rows(image_folder, modality="image", on_error="skip")
    assert len(read(source)[0]) == 5
    assert source.skipped == 1


def test_manifest_paths_start_from_its_folder(image_folder):
    manifest = image_folder / "all.csv"
    manifest.write_text("path,label\ncat/0.png,cat\ndog/9.png,dog\n,dog\n")
    source = open_rows(manifest, modality="image", on_error="skip")
    assert read(source) == ([image_folder / "cat" / "0.png"], ["cat"], [2])
    assert [message.partition(", ")[2] for message in source.messages] == [
        f"line 3: there is no image {image_folder / 'dog' / '9.png'}; rows are paths of "
        "images here, texts need a model of texts (--encoder hashing)",
        "line 4: the image is missing; fill it in or leave the row out",
    ]
