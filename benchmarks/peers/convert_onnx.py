"""`convert_onnx.py MODEL.tflite MODEL.onnx`: the int8 network as a QDQ graph, float logits out.

tf2onnx's graph ends like the `.tflite`, with integers; one more node dequantizes them, as usual in
int8 graphs for ONNX Runtime.
"""

import sys

import onnx
import tf2onnx


def main():
    model, _ = tf2onnx.convert.from_tflite(sys.argv[1], opset=18)
    graph = model.graph
    made_by = {name: node for node in graph.node for name in node.output}
    logits = min(graph.output, key=lambda output: len(output.type.tensor_type.shape.dim))
    _, scale, zero_point = made_by[logits.name].input
    inputs = [logits.name, scale, zero_point]
    graph.node.append(onnx.helper.make_node("DequantizeLinear", inputs, ["logits"]))
    shape = [dim.dim_value for dim in logits.type.tensor_type.shape.dim]
    kept = [output for output in graph.output if output.name != logits.name]
    del graph.output[:]
    graph.output.extend(kept)
    graph.output.append(onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, shape))
    onnx.checker.check_model(model)
    onnx.save(model, sys.argv[2])


if __name__ == "__main__":
    main()
