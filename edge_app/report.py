"""The evaluation report."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def dataset_digest(
    images: Iterable[str], digests: Iterable[str], targets: NDArray[np.uint8]
) -> str:
    """SHA-256 over the sorted lines ``name sha256-of-the-file labels-as-bits``.

    Two evaluations with the same digest saw the same files under the same labels, in any order.
    """
    lines = sorted(
        f"{image} {digest} {''.join(map(str, row))}"
        for image, digest, row in zip(images, digests, targets.tolist(), strict=True)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
