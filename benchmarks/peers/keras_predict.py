"""The network as it was trained: Keras on TensorFlow, `predict` of one image."""

import sys

import keras
import numpy as np
from PIL import Image


class Peer:
    def __init__(self, model):
        self.model = keras.models.load_model(model, compile=False)

    def logits(self, path):
        _, height, width, _ = self.model.input_shape
        image = Image.open(path).convert("L").resize((width, height), Image.Resampling.BILINEAR)
        batch = (np.float32(np.asarray(image)) - 128)[np.newaxis, ..., np.newaxis] / 128
        return self.model.predict(batch, verbose=0)[0][0]


if __name__ == "__main__":
    print((1 / (1 + np.exp(-Peer(sys.argv[1]).logits(sys.argv[2])))).round(3))
