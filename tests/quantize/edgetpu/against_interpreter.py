"""The reader held to the interpreter.

`python -m tests.quantize.edgetpu.against_interpreter FOLDER ...` goes through every `.tflite` under
the folders, such as a virtual environment's `site-packages`, and compares what the reader finds
with what TensorFlow Lite's interpreter lists.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edge_app.core.errors import ModelError
from quantize.graph import Operator, Tensor, read_graphs

TYPES = {
    "FLOAT16": np.float16,
    "FLOAT32": np.float32,
    "FLOAT64": np.float64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "BOOL": np.bool_,
    "STRING": np.bytes_,
}
"""The interpreter has no numpy type for the others, such as INT4 and RESOURCE."""


def differences(flatbuffer: bytes) -> list[str]:
    """What the reader and the interpreter list differently; empty: nothing.

    Raises:
        ValueError: the interpreter refuses the file.
    """
    interpreter = Interpreter(
        model_content=flatbuffer,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    graphs = read_graphs(flatbuffer)
    found = []
    if interpreter.num_subgraphs() != len(graphs):
        found.append(f"{len(graphs)} graphs for {interpreter.num_subgraphs()}")
    for place, graph in enumerate(graphs):
        for tensor in graph.tensors:
            try:
                listed = interpreter._get_tensor_details(tensor.index, place)
            except ValueError as error:  # a type that it cannot name
                if tensor.dtype in TYPES:
                    found.append(f"graph {place}, {tensor.name}: {error}")
                continue
            found += [f"graph {place}: {line}" for line in _tensor(tensor, listed)]
    nodes = interpreter._get_ops_details()
    if len(nodes) != len(graphs[0].operators):
        found.append(f"{len(graphs[0].operators)} operators for {len(nodes)}")
    for operator, node in zip(graphs[0].operators, nodes, strict=False):
        found += _operator(operator, node)
    for kind in ("input", "output"):
        details = getattr(interpreter, f"get_{kind}_details")()
        ours = [tensor.index for tensor in getattr(graphs[0], f"{kind}s")]
        if ours != [detail["index"] for detail in details]:
            found.append(f"{kind}s {ours} for {[detail['index'] for detail in details]}")
    return found


def _tensor(tensor: Tensor, listed: dict[str, Any]) -> list[str]:
    parameters = listed["quantization_parameters"]
    pairs = {
        "name": (tensor.name, listed["name"]),
        "shape": (list(tensor.shape), listed["shape_signature"].tolist()),
        "type": (TYPES.get(tensor.dtype, listed["dtype"]), listed["dtype"]),
        "scales": (tensor.scales.tolist(), parameters["scales"].tolist()),
        "zero points": (tensor.zero_points.tolist(), parameters["zero_points"].tolist()),
        "axis": (tensor.channel_axis, parameters["quantized_dimension"]),
        "sparse": (tensor.sparse, bool(listed["sparsity_parameters"])),
    }
    if parameters["block_size"]:  # its scales are a tensor of their own
        pairs = {key: pair for key, pair in pairs.items() if key in ("name", "shape", "type")}
    return [f"{tensor.name}: {key} {a} for {b}" for key, (a, b) in pairs.items() if a != b]


def _operator(operator: Operator, node: dict[str, Any]) -> list[str]:
    inputs = [-1 if tensor is None else tensor.index for tensor in operator.inputs]
    pairs = {
        "name": (operator.name, node["op_name"]),
        "inputs": (inputs, node["inputs"].tolist()),
        "outputs": ([t.index for t in operator.outputs], node["outputs"].tolist()),
    }
    return [f"operator {operator.index}: {k} {a} for {b}" for k, (a, b) in pairs.items() if a != b]


def main() -> int:
    """Returns 1 if anything is listed differently."""
    different = same = refused = 0
    for folder in map(Path, sys.argv[1:]):
        for path in sorted(folder.rglob("*.tflite")):
            try:
                found = differences(path.read_bytes())
            except (ModelError, ValueError, RuntimeError) as error:
                print(f"{path}: {type(error).__name__}: {error}")
                refused += 1
                continue
            for line in found[:10]:
                print(f"{path}: {line}")
            different, same = different + bool(found), same + (not found)
    print(f"{same} alike, {different} different, {refused} refused")
    return 1 if different or not same else 0


if __name__ == "__main__":
    sys.exit(main())
