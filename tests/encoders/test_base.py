"""The parts that all encoders share."""

import pkgutil

import numpy as np
import pytest

from faast.encoders import load_encoder, registry
from faast.encoders.base import label_texts, unit_rows


def test_rows_are_scaled_to_norm_one():
    rows = unit_rows(np.array([[3, 4], [0, -2]]), range(2))
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, -1]])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0, 0], r"the features of row 8 are all zero.*leave the row out"),
        ([1, np.nan], r"the features of row 8 contain NaN or inf"),
        ([np.inf, 1], r"the features of row 8 contain NaN or inf"),
    ],
)
def test_rows_without_a_direction_are_named(row, message):
    with pytest.raises(ValueError, match=message):
        unit_rows(np.array([[1.0, 2.0], row]), [7, 8])


def test_labels_are_put_into_the_prompt():
    assert label_texts(["lost_card", 3], "a {label}.") == ["a lost card.", "a 3."]
    with pytest.raises(ValueError, match=r'the prompt must contain "{label}", got \'a\''):
        label_texts(["cat"], "a")


def test_every_name_leads_to_an_encoder():
    assert registry.encoder_names() == ["hashing", "pixels", "minilm", "st:", "clip:", "hf:"]
    for factory in registry._ENCODERS.values():
        assert callable(pkgutil.resolve_name(factory))


def test_one_string_is_not_a_list_of_rows():
    for string in ("where is my card?", b"where"):
        with pytest.raises(TypeError, match=r"got one string; pass \[row\]"):
            load_encoder("hashing").encode(string)
