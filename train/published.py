"""Published networks as teachers: TorchXRayVision's (Cohen et al., MIDL 2022).

Their package is the extra `xrv`; their weights are where it keeps them, and nothing is downloaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import MissingExtraError
from edge_app.images.radiograph import Picture
from edge_app.model.preprocess import CROP, InputSpec, resize
from train.errors import RunError

PREFIX: Final = "torchxrayvision:"

TRAINED_ON: Final = {
    "densenet121-res224-all": "NIH ChestX-ray14, RSNA, PadChest, CheXpert, MIMIC-CXR, OpenI",
    "densenet121-res224-nih": "NIH ChestX-ray14",
    "densenet121-res224-rsna": "RSNA Pneumonia Challenge, whose images are NIH ChestX-ray14's",
    "densenet121-res224-pc": "PadChest",
    "densenet121-res224-chex": "CheXpert",
    "densenet121-res224-mimic_nb": "MIMIC-CXR",
    "densenet121-res224-mimic_ch": "MIMIC-CXR",
    "resnet50-res512-all": "PadChest, NIH ChestX-ray14, RSNA, SIIM, VinBigData",
}
"""Name of a network → its training data, by the package's own page
(https://github.com/mlmed/torchxrayvision)."""

LARGEST: Final = 1024.0
"""White in their normalisation; black is its negative."""


class Published(NamedTuple):
    """A published network.

    Attributes:
        name: of the network.
        sha256: of its weights.
        labels: K names; empty for an output without a meaning.
        trained_on: in words.
        scores: H×W uint8 → its K probabilities, float32, by a sigmoid of its logits: without the
            package's own scaling, which puts each operating point at 0.5.
    """

    name: str
    sha256: str
    labels: tuple[str, ...]
    trained_on: str
    scores: Callable[[Picture], NDArray[np.float32]]


def load(name: str) -> Published:
    """A network with the weights that are installed.

    Raises:
        RunError: there is no such network, or its weights are not there.
        MissingExtraError: the package is not installed.
    """
    if name not in TRAINED_ON:
        raise RunError(f"{PREFIX}{name}: there are {', '.join(TRAINED_ON)}")
    try:
        from torchxrayvision import models, utils
    except ImportError:
        raise MissingExtraError(
            f"{PREFIX}{name} needs TorchXRayVision: pip install 'edge-cxr[xrv]'"
        ) from None
    url = models.model_urls[name]["weights_url"]
    weights = Path(utils.get_cache_dir()).expanduser() / Path(url).name
    if not weights.is_file():
        raise RunError(f"{PREFIX}{name}: its weights are not installed: wget {url} -O {weights}")
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    network = models.get_model(name, cache_dir=str(weights.parent))
    return of_network(name, digest, network, 512 if "res512" in name else 224)


def of_network(name: str, digest: str, network: Any, side: int) -> Published:
    """A `Published` made from a network of the package, whatever its weights.

    Args:
        network: a `torchxrayvision` model of logits.
        side: of its square input, in pixels.
    """
    import torch

    network.op_threshs = None
    network.apply_sigmoid = False
    network.eval()
    spec = InputSpec.square(side)._replace(resize=CROP)

    def scores(picture: Picture) -> NDArray[np.float32]:
        seen = resize(picture, spec).astype(np.float32)
        tensor = torch.from_numpy((2 * seen / 255 - 1) * LARGEST)[None, None]
        with torch.no_grad():
            found: NDArray[np.float32] = torch.sigmoid(network(tensor))[0].numpy()
        return found

    return Published(
        PREFIX + name, digest, tuple(network.pathologies), TRAINED_ON.get(name, "nothing"), scores
    )
