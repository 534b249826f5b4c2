"""Small packed pictures with their labels, for a machine to which the data set cannot be copied.

One ZIP, or its volumes: `images.csv`, a line a picture with what is known of it; `pictures.bin`,
their WebP files one after the other; `about.json`. A picture keeps the digest of the file that it
was made from, so a run on packed pictures is a run on the data set they come from.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from edge_app.core.errors import ImageError
from edge_app.evaluation.label_names import listed
from edge_app.model.preprocess import InputSpec, resize
from train.datasets.dataset import Dataset, Further, Pixels, first_of_each_split
from train.errors import DatasetError
from train.labels import OF_NIH, LabelSet
from train.volumes import FIRST, read_volumes

FORMAT: Final = "edge-cxr pictures 1"
LOSSLESS: Final = 100
"""The quality at which every gray level stays."""


def is_packed(path: Path) -> bool:
    return path.suffix == ".zip" or path.name.endswith(f".zip{FIRST}")


def pack(dataset: Dataset, side: int, quality: int) -> tuple[bytes, dict[str, Any]]:
    """All readable pictures of a data set as the bytes of one file, and its `about.json`.

    Args:
        dataset: N images.
        side: in pixels; larger pictures are resized to this square by `preprocess.resize`.
        quality: `LOSSLESS`, or less for WebP's quality.

    Returns:
        The file, and its `about.json`, with the error in gray levels.
    """
    spec = InputSpec.square(side)
    kept, digests, lengths, pictures, errors = [], [], [], io.BytesIO(), []
    for index, pixels, digest in dataset.pixels(None):
        if isinstance(pixels, ImageError):
            continue
        picture = resize(pixels, spec) if max(pixels.shape) > side else pixels
        packed = _encoded(picture, quality)
        if quality < LOSSLESS:
            errors.append(_decoded(packed).astype(np.float32) - picture)
        kept.append(index)
        digests.append(digest)
        lengths.append(pictures.write(packed))
    table = dataset.table.iloc[kept].assign(
        sha256=digests,
        bytes=lengths,
        labels=["|".join(np.array(dataset.labels.names)[row > 0]) for row in dataset.targets[kept]],
    )
    about: dict[str, Any] = {
        "format": FORMAT,
        "dataset": dataset.name,
        "labels": dataset.labels.as_dict(),
        "tells_patients": dataset.tells_patients,
        "further": [each._asdict() for each in dataset.further],
        "images": len(table),
        "largest_side": side,
        "quality": quality,
        "error": _error(errors),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("about.json", json.dumps(about, indent=1))
        archive.writestr("images.csv", table.to_csv(index=False))
        archive.writestr("pictures.bin", pictures.getvalue(), zipfile.ZIP_STORED)
    return file.getvalue(), about


def _error(errors: list[NDArray[np.float32]]) -> dict[str, float]:
    """Mean and root mean square of the gray levels by which pictures differ from what they were."""
    flat = np.concatenate([error.ravel() for error in errors] or [np.zeros(1, np.float32)])
    mean, square = np.abs(flat).mean(), np.sqrt(np.square(flat).mean())
    return {"mean": round(float(mean), 3), "rms": round(float(square), 3)}


def _encoded(picture: NDArray[np.uint8], quality: int) -> bytes:
    file = io.BytesIO()
    options = {"lossless": True} if quality >= LOSSLESS else {"quality": quality}
    Image.fromarray(picture).save(file, "WEBP", method=4, **options)
    return file.getvalue()


def _decoded(packed: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(packed)).convert("L"))


def read_packed(path: Path, limit: int | None, requested: LabelSet | None = None) -> Dataset:
    """Index packed pictures.

    Raises:
        DatasetError: the file is damaged, is another ZIP, or has other labels than `requested`.
    """
    content = read_volumes(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            about = json.loads(archive.read("about.json"))
            table = pd.read_csv(
                io.BytesIO(archive.read("images.csv")),
                dtype={"image": str, "patient": str, "labels": str, "sha256": str},
                keep_default_na=False,
                na_values={"age": [""]},
            )
            pictures = archive.read("pictures.bin")
        if about["format"] != FORMAT:
            raise DatasetError(f"{path}: is of another format, {about['format']}")
        ends = table.pop("bytes").to_numpy().cumsum()
        digests, labels = table.pop("sha256"), table.pop("labels")
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise DatasetError(f"{path}: holds no packed pictures: {error}") from None
    table = first_of_each_split(table, limit)
    rows = table.index.to_list()
    known = LabelSet.from_dict(about["labels"]) if "labels" in about else OF_NIH
    if requested and requested.labels.entries() != known.labels.entries():
        raise DatasetError(
            f"{path}: was packed with the labels {listed(known.names)}: pack the data anew"
        )
    targets = [[name in labels[row].split("|") for name in known.names] for row in rows]

    def pixels(min_side: int | None = None) -> Iterator[Pixels]:
        for index, row in enumerate(rows):
            start = ends[row - 1] if row else 0
            yield index, _decoded(pictures[start : ends[row]]), digests[row]

    return Dataset(
        name=about["dataset"],
        table=table.reset_index(drop=True),
        targets=np.array(targets, np.uint8).reshape(-1, len(known.labels)),
        pixels=pixels,
        identity=f"{hashlib.sha256(content).hexdigest()} {limit}",
        labels=requested or known,
        tells_patients=about.get("tells_patients", True),
        further=tuple(Further(**each) for each in about.get("further", ())),
    )
