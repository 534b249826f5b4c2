"""A Keras network's logits over cached images, and how good they are in one number."""

from __future__ import annotations

from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from edge_app.images.perturb import perturbed
from edge_app.model.preprocess import normalised
from train.cache import Cached
from train.labels import OF_NIH, LabelSet
from train.machines import predicted

PREDICT_BATCH: Final = 256


def logits_only(model: keras.Model) -> keras.Model:
    """The same layers without the map output: what is trained."""
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


def rankable(targets: NDArray[np.uint8], labels: LabelSet = OF_NIH, least: int = 1) -> list[int]:
    """Channels of the findings that at least so many images bear, and as many do not."""
    return [i for i in labels.findings if least <= targets[:, i].sum() <= len(targets) - least]


def macro_auroc(
    targets: NDArray[np.uint8],
    logits: NDArray[np.float32],
    labels: LabelSet = OF_NIH,
    least: int = 1,
) -> float:
    """Mean AUROC over the `rankable` findings; NaN if there is none.

    Exclusive labels are ranked by their share of the softmax, one against the rest.
    """
    scores = softmax(logits, axis=1) if labels.head == "exclusive" else logits
    columns = rankable(targets, labels, least)
    values = [roc_auc_score(targets[:, i], scores[:, i]) for i in columns]
    return float(np.mean(values)) if values else float("nan")
