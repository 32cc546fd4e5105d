"""Pickles of arrays are read, and forged ones refused without a crash."""

import pickle

import numpy as np
import pytest

from faast.evaluation.plain_pickle import load_plain


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_arrays_and_plain_values(protocol, rng):
    content = {
        b"data": rng.integers(0, 256, (5, 7), dtype=np.uint8),
        b"columns": np.asfortranarray(rng.normal(size=(3, 2))),
        b"labels": [1, 2, 3],
        b"names": [b"cat", b"dog"],
    }
    if protocol == 5:
        with pytest.raises(pickle.UnpicklingError, match="refers to numpy"):
            load_plain(pickle.dumps(content, protocol))
        return
    found = load_plain(pickle.dumps(content, protocol))
    assert found.keys() == content.keys()
    for key, value in content.items():
        np.testing.assert_array_equal(found[key], value)


def forge(name):
    return b"cnumpy\n" + name.encode() + b"\n"


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({b"data": np.array([{}, None])}, 2),
        pickle.dumps({b"data": np.array(["a"])}, 2),
        # an array of objects over bytes: numpy would follow them as pointers
        b"}C\x04data"
        + forge("ndarray")
        + b"(K\x01\x85"
        + forge("dtype")
        + b"C\x01O\x85RC\x08AAAAAAAAtRs.",
        b"}" + b")" + b"\x85" * 100_000 + b"Ns.",  # hashing a tuple nested 100,000 deep
        b"Nr\xff\xff\xff\x7f.",  # object number 2,147,483,647
        b"\x8e" + (1 << 60).to_bytes(8, "little") + b"x.",  # 2**60 bytes that are not there
        b"cbuiltins\neval\n(C\x011tR.",
        b"",
        b"]" * 1000 + b".",
    ],
)
def test_forged_pickles_are_refused(content):
    with pytest.raises((ValueError, pickle.UnpicklingError, EOFError, AttributeError, TypeError)):
        load_plain(content)


def test_an_array_holds_as_many_bytes_as_its_shape_says():
    content = bytearray(pickle.dumps({b"data": np.zeros((2, 3), np.uint8)}, 2))
    place = content.index(b"K\x02K\x03")
    content[place + 1] = 3
    with pytest.raises(pickle.UnpicklingError, match="more or fewer bytes than its shape"):
        load_plain(bytes(content))
