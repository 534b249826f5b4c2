"""A Keras network's logits over cached images."""

from __future__ import annotations

from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray

from edge_app.images.perturb import perturbed
from edge_app.model.preprocess import normalised
from train.cache import Cached
from train.machines import predicted

PREDICT_BATCH: Final = 256


def logits_only(model: keras.Model) -> keras.Model:
    """A network of the same layers without the map output."""
    return keras.Model(model.input, model.get_layer("logits").output, name=model.name)


def predict(
    model: keras.Model, cached: Cached, perturbation: str | None = None
) -> NDArray[np.float32]:
    """Logits M×L of a network over cached images, in `PREDICT_BATCH`es.

    Args:
        model: with the logits as its only output.
        cached: M images.
        perturbation: one of `perturb.PERTURBATIONS`, done to each image first.
    """
    names = cached.table["image"].tolist()
    chunks = []
    for start in range(0, len(cached), PREDICT_BATCH):
        batch = slice(start, start + PREDICT_BATCH)
        images = cached.images[cached.rows[batch]]
        if perturbation is not None:
            pairs = zip(images, names[batch], strict=True)
            images = np.stack([perturbed(image, perturbation, name) for image, name in pairs])
        chunks.append(predicted(model, normalised(images)[..., np.newaxis]))
    return np.concatenate(chunks)
