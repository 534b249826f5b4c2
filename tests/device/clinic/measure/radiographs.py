"""Radiographs of nobody as a modality sends them: files of DICOM, each another instance."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_app.images.phantom import synthetic_radiograph

from ..images import dicom


def write_radiographs(folder: Path, count: int, size: str, first: int = 1) -> list[Path]:
    """So many files of one picture, 16 bit a pixel.

    Args:
        size: rows and columns, as ``2500x2000``.
        first: the number of the first one; numbers make UIDs.
    """
    rows, columns = map(int, size.split("x"))
    small = synthetic_radiograph(512, seed=1).astype(np.uint16) * 16
    pixels = small[np.arange(rows) * 512 // rows][:, np.arange(columns) * 512 // columns]
    noise = np.random.default_rng(1).integers(0, 16, pixels.shape, np.uint16)
    folder.mkdir(parents=True)
    paths = []
    for number in range(first, first + count):
        path = folder / f"{number}.dcm"
        path.write_bytes(dicom(number, pixels + noise, BitsStored=12, HighBit=11))
        paths.append(path)
    return paths
