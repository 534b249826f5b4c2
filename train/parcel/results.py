"""A run's results as one small ZIP, from which `unpack` makes the run folder again."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Final

import h5py
import numpy as np

from train.errors import RunError

UNFINISHED: Final = ".unfinished"
"""Part of the file name of an unfinished run's results."""

FILES: Final = ("config.json", "history.csv")
WEIGHTS: Final = "kept.weights.h5"
STATE: Final = ("backup/latest.weights.h5", "backup/training_metadata.json")


def packed_result(run: Path, *, half: bool, state: bool) -> bytes:
    """A run's configuration, history and kept weights, without the optimizer, as a ZIP.

    Args:
        run: its folder, with one epoch or more.
        half: store the weights in float16, half as large.
        state: add the last epoch's weights, averages and moments, four times as large, so that
            the run resumes as if it had not been moved.
    """
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name in FILES:
            archive.write(run / name, name)
        kept = np.float16 if half else np.float32
        archive.writestr(WEIGHTS, without_optimizer((run / WEIGHTS).read_bytes(), kept))
        for name in STATE if state else ():
            archive.write(run / name, name)
    return file.getvalue()


def unpacked_result(content: bytes, run: Path) -> None:
    """Unpack a ZIP of `packed_result` into the folder `run`, with weights in float32 again.

    Raises:
        RunError: `content` is something else.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        members[WEIGHTS] = without_optimizer(members[WEIGHTS], np.float32)
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise RunError(f"{run.name}: its file is no result of a parcel: {error}") from None
    if not {*FILES, WEIGHTS} <= members.keys() <= {*FILES, WEIGHTS, *STATE}:
        raise RunError(f"{run.name}: its file is no result of a parcel")
    for name, data in members.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_bytes(data)


def without_optimizer(weights: bytes, dtype: type[np.floating]) -> bytes:
    """A Keras weights file without the optimizer, its floats in another type.

    Raises:
        OSError: `weights` is no HDF5 file.
    """
    file = io.BytesIO()
    with h5py.File(io.BytesIO(weights), "r") as source, h5py.File(file, "w") as target:
        target.attrs.update(source.attrs)

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if name.split("/")[0] == "optimizer":
                return
            if isinstance(item, h5py.Dataset):
                values = item[()]
                floating = np.issubdtype(values.dtype, np.floating)
                target.create_dataset(name, data=values.astype(dtype) if floating else values)
            else:
                target.require_group(name)
            target[name].attrs.update(item.attrs)

        source.visititems(copy)
    return file.getvalue()
