"""Export a solved classifier or regressor as an ONNX graph that predicts from features."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.imports import import_optional
from faast.core.atomic_files import write_whole
from faast.core.grid import LARGEST_QUERY
from faast.core.random_features import LARGEST_BYTE, LARGEST_PRODUCT, narrow_per_unit
from faast.core.weights import FastWeights, FeatureWeights
from faast.estimators.head import Head

OPSET, IR_VERSION = 17, 9
"""Old enough for runtimes that are several years old, new enough for all operators used here."""

Shape = list[str | int]
"""Length of each axis, or its name where the length varies."""

UNIT_ROUNDING = 1e-6
"""Rows whose norm is this close to 1 count as scaled already; float32 rounds the norm."""


def write_onnx(head: Head, path: str | os.PathLike[str], *, normalise: bool = False) -> None:
    """Write a head as an ONNX graph; the file is replaced atomically.

    The input is ``features``, float32 of shape (n, d). The outputs are ``label``, int64 or string
    of shape (n,), and ``probabilities``, float32 of shape (n, C); where rows may have several
    labels, ``label`` is the indicator, int64 of shape (n, C). The graph computes in float64, as
    this library does: in float32, sums whose terms nearly cancel would be too inaccurate for
    probabilities.

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
    rows = graph.rows(normalise)
    scores = graph.values(rows, head.weights)
    if head.prior is not None:
        shares = graph.constant(head.temperature * np.log(head.prior.shares))
        scores = graph.add("Where", graph.blank(rows, head.prior.columns), shares, scores)
    if head.thresholds is not None:
        log_odds = graph.add("Add", scores, graph.constant(head.thresholds))
        probabilities = graph.add("Sigmoid", log_odds)
        positive = graph.add("Greater", scores, graph.constant(np.float64(0.0)))
        label = graph.cast(positive, "INT64")
    else:
        temperature = graph.constant(np.float64(head.temperature))
        probabilities = graph.add("Softmax", graph.add("Div", scores, temperature), axis=1)
        best = graph.add("ArgMax", scores, axis=1, keepdims=0)
        label = graph.add("Gather", graph.constant(_plain(head.classes)), best, axis=0)
    text = _plain(head.classes).dtype == object
    label_kind = "STRING" if text and not head.kind.several else "INT64"
    label_shape: Shape = ["n", len(head.classes)] if head.kind.several else ["n"]
    graph.output("label", label, label_kind, label_shape)
    probabilities = graph.cast(probabilities, "FLOAT")
    graph.output("probabilities", probabilities, "FLOAT", ["n", len(head.classes)])
    write_whole(Path(path), graph.serialise(head.n_features))


def write_values(
    weights: FastWeights, path: str | os.PathLike[str], *, column: bool, normalise: bool = False
) -> None:
    """Write the weights of a regressor as an ONNX graph; the file is replaced atomically.

    The input is ``features``, float32 of shape (n, d), the output ``value``, float64 of shape
    (n, m).

    Parameters
    ----------
    weights : FastWeights
    path : path-like
    column : bool
        Whether ``value`` has shape (n,), for one target.
    normalise : bool
        Scale rows to norm 1 first.

    Raises
    ------
    ImportError
        If onnx is not installed.
    """
    graph = _Graph()
    values = graph.values(graph.rows(normalise), weights)
    if column:
        values = graph.add("Squeeze", values, graph.constant(np.array([1])))
    graph.output("value", values, "DOUBLE", ["n"] if column else ["n", len(weights.bias)])
    write_whole(Path(path), graph.serialise(len(weights.matrix)))


class _Graph:
    """Collects the nodes and constants of a graph, and names them."""

    def __init__(self) -> None:
        self.onnx = import_optional("onnx", "onnx")
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.outputs: list[Any] = []

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

    def rows(self, normalise: bool) -> str:
        """Return the features, scaled to norm 1 if asked."""
        rows = self.cast("features", "DOUBLE")
        return self.unit(rows) if normalise else rows

    def blank(self, rows: str, columns: AnyArray) -> str:
        """Tell which rows are 0 in all columns that are marked by 1, as booleans (n, 1)."""
        sizes = self.add("Mul", self.add("Abs", rows), self.constant(columns.astype(np.float64)))
        largest = self.add("ReduceMax", sizes, axes=[1], keepdims=1)
        return self.add("Equal", largest, self.constant(np.float64(0.0)))

    def values(self, rows: str, weights: FastWeights) -> str:
        """Apply fast weights to rows."""
        values = self.linear(rows, weights.matrix, weights.bias)
        if weights.mapped is None:
            return values
        return self.add("Add", values, self.mapped(rows, weights.mapped))

    def output(self, name: str, values: str, kind: str, shape: Shape) -> None:
        """Make values an output of the graph."""
        self.nodes.append(self.onnx.helper.make_node("Identity", [values], [name]))
        kind = getattr(self.onnx.TensorProto, kind)
        self.outputs.append(self.onnx.helper.make_tensor_value_info(name, kind, shape))

    def unit(self, rows: str) -> str:
        """Scale rows to norm 1, except rows of 0 and those that an encoder has scaled already."""
        norms = self.add("ReduceL2", rows, axes=[1], keepdims=1)
        one = self.constant(np.float64(1.0))
        off = self.add("Abs", self.add("Sub", norms, one))
        close = self.add("Less", off, self.constant(np.float64(UNIT_ROUNDING)))
        zero = self.add("Equal", norms, self.constant(np.float64(0.0)))
        kept = self.add("Or", close, zero)
        divided = self.add("Div", rows, self.add("Where", kept, one, norms))
        return self.cast(self.cast(divided, "FLOAT"), "DOUBLE")  # as encoders round

    def cast(self, values: str, kind: str) -> str:
        """Convert to another ONNX data type, such as "FLOAT"."""
        return self.add("Cast", values, to=getattr(self.onnx.TensorProto, kind))

    def linear(self, rows: str, matrix: FloatArray, bias: FloatArray) -> str:
        """Compute rows @ matrix + bias."""
        return self.add("Gemm", rows, self.constant(matrix), self.constant(bias))

    def mapped(self, rows: str, weights: FeatureWeights) -> str:
        """Apply weights to random features, rounding and clipping as `RandomFeatures` does."""
        features = weights.features
        units = self.scaled(rows, features.grid.per_unit, LARGEST_QUERY)
        narrow = self.scaled(units, narrow_per_unit(features.grid), LARGEST_BYTE)
        centred = self.add("Sub", narrow, self.constant(features.centre.astype(np.float64)))
        directions = self.cast(self.constant(features.directions), "DOUBLE")
        sums = self.add("MatMul", centred, directions)
        z = self.scaled(sums, 2.0**-features.halvings, LARGEST_PRODUCT)
        pairs = [self.add("Gather", z, self.constant(p), axis=1) for p in features.factors()]
        products = self.scaled(self.add("Mul", *pairs), 1 / features.product_step, LARGEST_PRODUCT)
        mapped = self.add("Concat", centred, products, axis=1)
        return self.linear(mapped, weights.matrix, weights.bias)

    def scaled(self, values: str, factor: float | FloatArray, limit: float) -> str:
        """Multiply, round to integers, and clip to -limit..limit."""
        scaled = self.add("Mul", values, self.constant(np.asarray(factor, np.float64)))
        return self.clip(self.add("Round", scaled), limit)

    def clip(self, values: str, limit: float) -> str:
        """Clip to -limit..limit."""
        most = self.constant(np.float64(limit))
        return self.add("Clip", values, self.add("Neg", most), most)

    def serialise(self, n_features: int) -> bytes:
        """Check the model and return it serialised."""
        helper, kind = self.onnx.helper, self.onnx.TensorProto.FLOAT
        features = helper.make_tensor_value_info("features", kind, ["n", n_features])
        graph = helper.make_graph(self.nodes, "faast", [features], self.outputs, self.constants)
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
