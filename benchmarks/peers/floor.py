"""The smallest script that scores a radiograph with the same runtime, without input check."""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image


class Peer:
    def __init__(self, model):
        self.interpreter = Interpreter(model_path=model, num_threads=1)
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]
        outputs = self.interpreter.get_output_details()
        self.output = min(outputs, key=lambda output: len(output["shape"]))

    def logits(self, path):
        _, height, width, _ = self.input["shape"]
        image = Image.open(path).convert("L").resize((width, height), Image.Resampling.BILINEAR)
        tensor = (np.asarray(image) ^ 0x80).view(np.int8)
        self.interpreter.set_tensor(self.input["index"], tensor[np.newaxis, ..., np.newaxis])
        self.interpreter.invoke()
        scale, zero_point = self.output["quantization"]
        stored = self.interpreter.get_tensor(self.output["index"])[0]
        return (stored.astype(np.float32) - zero_point) * scale


if __name__ == "__main__":
    print((1 / (1 + np.exp(-Peer(sys.argv[1]).logits(sys.argv[2])))).round(3))
