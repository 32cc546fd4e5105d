"""Export a solved head as an ONNX graph from features to label and probabilities."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.imports import import_optional
from faast.core.grid import LARGEST_QUERY
from faast.core.persistence import write_whole
from faast.core.random_features import LARGEST_PROJECTION
from faast.core.weights import FeatureWeights
from faast.estimators.head import Head

OPSET, IR_VERSION = 17, 9
"""Old enough for runtimes that are several years old, new enough for all operators used here."""

UNIT_ERROR = 1e-6
"""Rows whose norm is this close to 1 count as scaled already; float32 rounds the norm."""


def write_onnx(head: Head, path: str | os.PathLike[str], *, normalise: bool = False) -> None:
    """Write a head as an ONNX graph; the file is replaced atomically.

    The input is ``features``, float32 of shape (n, d). The outputs are ``label``, int64 or string
    of shape (n,), and ``probabilities``, float32 of shape (n, C); for a multi-label head ``label``
    is the indicator, int64 of shape (n, C). The graph computes in float64, as this library does:
    in float32, sums whose terms nearly cancel would be too inaccurate for probabilities.

    Parameters
    ----------
    head : Head
    path : path-like
    normalise : bool
        Scale rows to norm 1 first.

    Raises
    ------
    ImportError
        If onnx is not installed.
    """
    graph = _Graph()
    rows = graph.cast("features", "DOUBLE")
    if normalise:
        rows = graph.unit(rows)
    scores = graph.linear(rows, head.weights.matrix, head.weights.bias)
    if head.weights.mapped is not None:
        mapped = graph.mapped(rows, head.weights.mapped, head.n_features)
        scores = graph.add("Add", scores, mapped)
    temperature = graph.constant(np.float64(head.temperature))
    if head.multilabel:
        centred = graph.add("Sub", scores, graph.constant(np.float64(0.5)))
        probabilities = graph.add("Sigmoid", graph.add("Div", centred, temperature))
        positive = graph.add("Greater", centred, graph.constant(np.float64(0.0)))
        label = graph.cast(positive, "INT64")
    else:
        probabilities = graph.add("Softmax", graph.add("Div", scores, temperature), axis=1)
        best = graph.add("ArgMax", scores, axis=1, keepdims=0)
        label = graph.add("Gather", graph.constant(_plain(head.classes)), best, axis=0)
    probabilities = graph.cast(probabilities, "FLOAT")
    write_whole(Path(path), graph.serialise(head, label, probabilities))


class _Graph:
    """Collects the nodes and constants of a graph, and names them."""

    def __init__(self) -> None:
        self.onnx = import_optional("onnx", "onnx")
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, value: AnyArray | np.generic) -> str:
        """Add a constant and return its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def unit(self, rows: str) -> str:
        """Scale rows to norm 1, except rows that an encoder has scaled already."""
        norms = self.add("ReduceL2", rows, axes=[1], keepdims=1)
        one = self.constant(np.float64(1.0))
        off = self.add("Abs", self.add("Sub", norms, one))
        close = self.add("Less", off, self.constant(np.float64(UNIT_ERROR)))
        divided = self.add("Div", rows, self.add("Where", close, one, norms))
        return self.cast(self.cast(divided, "FLOAT"), "DOUBLE")  # as encoders round

    def cast(self, values: str, kind: str) -> str:
        """Convert to another ONNX data type, such as "FLOAT"."""
        return self.add("Cast", values, to=getattr(self.onnx.TensorProto, kind))

    def linear(self, rows: str, matrix: FloatArray, bias: FloatArray) -> str:
        """Compute rows @ matrix + bias."""
        return self.add("Gemm", rows, self.constant(matrix), self.constant(bias))

    def mapped(self, rows: str, weights: FeatureWeights, n_features: int) -> str:
        """Apply weights to random features, rounding and clipping as `RandomFeatures` does."""
        features = weights.random_features(n_features)
        per_unit = self.constant(np.asarray(weights.key_grid.per_unit, np.float64))
        units = self.add("Round", self.clip(self.add("Mul", rows, per_unit), LARGEST_QUERY))
        signs = self.cast(self.constant(features.signs.astype(np.int8)), "DOUBLE")
        per_row_unit = self.constant(np.float64(features.per_row_unit))
        z = self.add("Mul", self.add("MatMul", units, signs), per_row_unit)
        z = self.clip(self.add("Round", z), LARGEST_PROJECTION)
        parts = [units]
        places = np.arange(features.signs.shape[1])
        for shift in range(1, features.n_shifts + 1):
            turned = self.add("Gather", z, self.constant(np.roll(places, -shift).copy()), axis=1)
            parts.append(self.add("Mul", z, turned))
        return self.linear(self.add("Concat", *parts, axis=1), weights.matrix, weights.bias)

    def clip(self, values: str, limit: float) -> str:
        """Clip to -limit..limit."""
        most = self.constant(np.float64(limit))
        return self.add("Clip", values, self.add("Neg", most), most)

    def serialise(self, head: Head, label: str, probabilities: str) -> bytes:
        """Check the model and return it serialised."""
        helper, kinds = self.onnx.helper, self.onnx.TensorProto
        width, n_classes = head.weights.matrix.shape
        text = _plain(head.classes).dtype == object
        self.nodes += [
            helper.make_node("Identity", [label], ["label"]),
            helper.make_node("Identity", [probabilities], ["probabilities"]),
        ]
        label_kind = kinds.STRING if text and not head.multilabel else kinds.INT64
        label_shape = ["n", n_classes] if head.multilabel else ["n"]
        graph = helper.make_graph(
            self.nodes,
            "faast",
            [helper.make_tensor_value_info("features", kinds.FLOAT, ["n", width])],
            [
                helper.make_tensor_value_info("label", label_kind, label_shape),
                helper.make_tensor_value_info("probabilities", kinds.FLOAT, ["n", n_classes]),
            ],
            self.constants,
        )
        model = helper.make_model(
            graph,
            producer_name="faast",
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )
        self.onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString()


def _plain(classes: AnyArray) -> AnyArray:
    """Return labels in a form that ONNX supports: integers, or else text."""
    if classes.dtype.kind in "iu":
        return classes.astype(np.int64)
    return np.array([str(label) for label in classes.tolist()], dtype=object)
