"""Read pickles of arrays of numbers and plain values, without running what they name.

No class or function of a pickle is called: arrays are described by stand-ins of this module, and
made from their bytes once their shape and type are checked. Before unpickling, the instructions
are checked for those that crash the interpreter or allocate more than the pickle holds.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from typing import Any

import numpy as np

_MAX_TUPLES = 1000
"""Most tuples: hashing or freeing tuples that are nested deeper overflows the stack."""

_DTYPES = ("b1", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")


def load_plain(content: bytes) -> Any:
    """Unpickle arrays of numbers and plain values.

    Parameters
    ----------
    content : bytes
        A pickle.

    Raises
    ------
    ValueError, pickle.UnpicklingError, or others
        If the pickle is damaged, or names anything else.
    """
    _check_instructions(content)
    return _build(_Unpickler(io.BytesIO(content), encoding="bytes").load())


def _check_instructions(content: bytes) -> None:
    tuples = 0
    for operation, argument, _ in pickletools.genops(content):  # checks the length of arguments
        tuples += "TUPLE" in operation.name
        is_memo = operation.name in ("PUT", "BINPUT", "LONG_BINPUT")
        if tuples > _MAX_TUPLES or (is_memo and int(argument or 0) > len(content)):
            raise pickle.UnpicklingError("it is nested too deep or numbers too many objects")
        if operation.name in ("PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "NEWOBJ_EX"):
            raise pickle.UnpicklingError(f"it uses {operation.name}")


class _Dtype:
    """Stands for `numpy.dtype`."""

    def __init__(self, name: Any = "", *_: Any) -> None:
        self.name = name.decode("ascii") if isinstance(name, bytes) else name
        self.order = "|"

    def __setstate__(self, state: Any) -> None:
        order = state[1]
        self.order = order.decode("ascii") if isinstance(order, bytes) else order

    def build(self) -> np.dtype[Any]:
        if self.name not in _DTYPES or self.order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError(f"it holds an array of type {self.name!r}")
        return np.dtype(self.order + self.name)


class _Array:
    """Stands for `numpy.ndarray` and for what makes an empty one."""

    state: Any = None

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def build(self) -> Any:
        _, shape, dtype, by_columns, content = self.state
        if not isinstance(dtype, _Dtype) or not isinstance(content, bytes):
            raise pickle.UnpicklingError("it holds an array of objects")
        kind = dtype.build()
        if any(type(n) is not int or n < 0 for n in shape):
            raise pickle.UnpicklingError(f"it holds an array of shape {shape!r}")
        if math.prod(shape) * kind.itemsize != len(content):
            raise pickle.UnpicklingError("an array has more or fewer bytes than its shape says")
        return np.frombuffer(content, kind).reshape(shape, order="F" if by_columns else "C")


class _Unpickler(pickle.Unpickler):
    """Unpickler that puts stand-ins in the place of arrays, and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return _Array
        if (module, name) == ("numpy", "ndarray"):
            return _Array
        if (module, name) == ("numpy", "dtype"):
            return _Dtype
        if (module, name) == ("_codecs", "encode"):
            return _latin_bytes
        raise pickle.UnpicklingError(f"it refers to {module}.{name}")


def _build(value: Any) -> Any:
    """Replace the stand-ins in a dictionary of arrays and lists of plain values."""
    if not isinstance(value, dict):
        raise pickle.UnpicklingError(f"it holds a {type(value).__name__}, not a dictionary")
    return {
        key: entry.build() if isinstance(entry, _Array) else entry for key, entry in value.items()
    }


def _latin_bytes(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError(f"it refers to the encoding {encoding!r}")
    return text.encode("latin1")
