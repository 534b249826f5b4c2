"""What tutorials for the Raspberry Pi show: tflite-runtime and the float32 model."""

import sys

import numpy as np
from PIL import Image
from tflite_runtime.interpreter import Interpreter


class Peer:
    def __init__(self, model):
        self.interpreter = Interpreter(model_path=model)
        self.interpreter.allocate_tensors()
        self.input_details = self.interpreter.get_input_details()
        outputs = self.interpreter.get_output_details()
        self.output = min(outputs, key=lambda output: len(output["shape"]))

    def logits(self, path):
        height = self.input_details[0]["shape"][1]
        width = self.input_details[0]["shape"][2]
        image = Image.open(path).convert("L").resize((width, height), Image.Resampling.BILINEAR)
        input_data = np.expand_dims(np.asarray(image), axis=(0, -1))
        input_data = (np.float32(input_data) - 128) / 128
        self.interpreter.set_tensor(self.input_details[0]["index"], input_data)
        self.interpreter.invoke()
        return np.squeeze(self.interpreter.get_tensor(self.output["index"]))


if __name__ == "__main__":
    print((1 / (1 + np.exp(-Peer(sys.argv[1]).logits(sys.argv[2])))).round(3))
