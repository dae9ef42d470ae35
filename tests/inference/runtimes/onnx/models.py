"""Small ONNX models whose right answers are known: no training, no randomness that matters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from inference.runtimes.tensors import Tensor

SIDE = 128
CELL = 16
GRID = SIDE // CELL
CELLS = GRID * GRID
COLOURS = ("red", "green", "blue")


def constant(name: str, value: object, dtype: str = "float32") -> onnx.TensorProto:
    """A weight."""
    return numpy_helper.from_array(np.array(value, dtype), name)


def tensor_info(
    name: str, shape: Sequence[int | str], kind: int = TensorProto.FLOAT
) -> onnx.ValueInfoProto:
    """An input or output."""
    return helper.make_tensor_value_info(name, kind, shape)


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    weights: Sequence[onnx.TensorProto] = (),
    **names: str,
) -> Path:
    """The graph as a file; ``names`` are the file's own notes."""
    graph = helper.make_graph(list(nodes), "graph", list(inputs), list(outputs), list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, names)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def yolo(path: Path, batch: int | str = "batch") -> Path:
    """A detector in YOLO v8's form: a red, green or blue square that fills a cell of its grid is
    found, with that colour as its class.

    Input images (N, 3, 128, 128), RGB in 0..1; output output0 (N, 4 + 3, 64). The class scores
    are a convolution that lights up pure colours, averaged over each cell; the boxes are the
    cells. A fixed ``batch`` is built into the graph, as exports often do.
    """
    nodes = [
        helper.make_node("Conv", ["images", "colours"], ["lit"]),
        helper.make_node("Relu", ["lit"], ["pure"]),
        helper.make_node(
            "AveragePool", ["pure"], ["mean"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]
        ),
        helper.make_node("Reshape", ["mean", "rows"], ["scores"]),
        helper.make_node("Conv", ["mean", "nothing"], ["zeros"]),
        helper.make_node("Reshape", ["zeros", "rows"], ["empty"]),
        helper.make_node("Add", ["empty", "cells"], ["boxes"]),
        helper.make_node("Concat", ["boxes", "scores"], ["output0"], axis=1),
    ]
    colours = (2 * np.eye(3) - np.ones((3, 3))).reshape(3, 3, 1, 1)
    weights = [
        constant("colours", colours),
        constant("nothing", np.zeros((4, 3, 1, 1))),
        constant("rows", [batch if isinstance(batch, int) else 0, -1, CELLS], "int64"),
        constant("cells", _cells()[np.newaxis]),
    ]
    shapes = (
        tensor_info("images", [batch, 3, SIDE, SIDE]),
        tensor_info("output0", [batch, 7, CELLS]),
    )
    return save(path, nodes, [shapes[0]], [shapes[1]], weights, names=str(dict(enumerate(COLOURS))))


def _cells() -> Tensor:
    """Centre and size of each cell, (4, 64)."""
    rows, columns = np.divmod(np.arange(CELLS), GRID)
    size = np.full(CELLS, CELL)
    return np.stack([(columns + 0.5) * CELL, (rows + 0.5) * CELL, size, size])


def ssd(path: Path) -> Path:
    """The same detector in SSD's form: uint8 pictures (N, H, W, 3) in, normalised boxes top
    first, one class a cell.
    """
    boxes = _cells().T / SIDE
    corners = np.concatenate(
        [boxes[:, [1, 0]] - boxes[:, [3, 2]] / 2, boxes[:, [1, 0]] + boxes[:, [3, 2]] / 2], axis=1
    )
    nodes = [
        helper.make_node("Cast", ["image_tensor"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "colours"], ["lit"]),
        helper.make_node("Relu", ["lit"], ["pure"]),
        helper.make_node(
            "AveragePool", ["pure"], ["mean"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]
        ),
        helper.make_node("Reshape", ["mean", "rows"], ["scores"]),
        helper.make_node("ReduceMax", ["scores"], ["detection_scores"], axes=[1], keepdims=0),
        helper.make_node("ArgMax", ["scores"], ["classes"], axis=1, keepdims=0),
        helper.make_node("Cast", ["classes"], ["from_zero"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["from_zero", "one"], ["detection_classes"]),
        helper.make_node("Shape", ["detection_scores"], ["shape"]),
        helper.make_node("Concat", ["shape", "four"], ["wanted"], axis=0),
        helper.make_node("Expand", ["corners", "wanted"], ["detection_boxes"]),
    ]
    weights = [
        constant("colours", (2 * np.eye(3) - np.ones((3, 3))).reshape(3, 3, 1, 1) / 255),
        constant("rows", [0, -1, CELLS], "int64"),
        constant("one", 1.0),
        constant("four", [4], "int64"),
        constant("corners", corners[np.newaxis]),
    ]
    image = tensor_info("image_tensor", ["batch", SIDE, SIDE, 3], TensorProto.UINT8)
    outputs = [
        tensor_info("detection_boxes", ["batch", CELLS, 4]),
        tensor_info("detection_scores", ["batch", CELLS]),
        tensor_info("detection_classes", ["batch", CELLS]),
    ]
    return save(path, nodes, [image], outputs, weights)


def doubler(path: Path, batch: int | str = "batch", kind: int = TensorProto.FLOAT) -> Path:
    """y = x + x, for x (N, 3)."""
    return save(
        path,
        [helper.make_node("Add", ["x", "x"], ["y"])],
        [tensor_info("x", [batch, 3], kind)],
        [tensor_info("y", [batch, 3], kind)],
    )


def adder(path: Path) -> Path:
    """sum = a + b, for a and b (N,)."""
    inputs = [tensor_info("a", ["n"]), tensor_info("b", ["n"])]
    return save(
        path, [helper.make_node("Add", ["a", "b"], ["sum"])], inputs, [tensor_info("sum", ["n"])]
    )


def glutton(path: Path, elements: int, at_load: bool) -> Path:
    """A file of a few hundred bytes that fills ``elements`` floats with something, when it is
    loaded or when it predicts.
    """
    if at_load:
        start = [helper.make_node("ConstantOfShape", ["shape"], ["much"])]
    else:
        start = [
            helper.make_node("ReduceMax", ["x"], ["largest"], keepdims=0),
            helper.make_node("Expand", ["largest", "shape"], ["much"]),
        ]
    nodes = [
        *start,
        helper.make_node("ReduceSum", ["much"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    return save(
        path,
        nodes,
        [tensor_info("x", ["n", 3])],
        [tensor_info("y", ["n", 3])],
        [constant("shape", [1, elements], "int64")],
    )


def endless(path: Path) -> Path:
    """A loop that does not come to its end in anybody's lifetime."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["go_on"]),
            helper.make_node("MatMul", ["value", "value"], ["squared"]),
        ],
        "body",
        [
            tensor_info("turn", [], TensorProto.INT64),
            tensor_info("on", [], TensorProto.BOOL),
            tensor_info("value", [200, 200]),
        ],
        [tensor_info("go_on", [], TensorProto.BOOL), tensor_info("squared", [200, 200])],
    )
    weights = [constant("turns", 10**12, "int64"), constant("yes", True, "bool")]
    return save(
        path,
        [helper.make_node("Loop", ["turns", "yes", "x"], ["y"], body=body)],
        [tensor_info("x", [200, 200])],
        [tensor_info("y", [200, 200])],
        weights,
    )


def heavy(path: Path, features: int = 8192, hidden: int = 1024) -> Path:
    """A classifier of 64 x 64 pictures whose time goes into reading its weights: a batch reads
    them once for all of its pictures.
    """
    random = np.random.default_rng(0)
    channels = features // 256
    nodes = [
        helper.make_node("Conv", ["images", "filters"], ["maps"], strides=[4, 4]),
        helper.make_node("Relu", ["maps"], ["positive"]),
        helper.make_node("Flatten", ["positive"], ["flat"]),
        helper.make_node("MatMul", ["flat", "dense"], ["inner"]),
        helper.make_node("Relu", ["inner"], ["kept"]),
        helper.make_node("MatMul", ["kept", "last"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    weights = [
        constant("filters", random.normal(0, 0.1, (channels, 3, 4, 4))),
        constant("dense", random.normal(0, 0.01, (features, hidden))),
        constant("last", random.normal(0, 0.1, (hidden, 10))),
    ]
    return save(
        path,
        nodes,
        [tensor_info("images", ["batch", 3, 64, 64])],
        [tensor_info("probabilities", ["batch", 10])],
        weights,
    )
