"""Cached downloads: the wheels of each target, and pip for boards without it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from boards import repack, wheels
from boards.errors import DownloadError
from boards.lock import locked
from boards.wheels import Target

REPACKED: Final = {"armv7l": ("bookworm", "armhf", "arm-linux-gnueabihf")}
"""Machines for which no index has numpy and Pillow → Debian's suite, architecture and triplet."""


def wheels_for(own: Path, target: Target, cache: Path, extras: Sequence[str] = ()) -> list[Path]:
    """All wheels that the device wheel `own` needs on `target`, below `cache`; downloaded once.

    Raises:
        BoardsError: a wheel cannot be downloaded or built.
    """
    recipe = json.dumps([asdict(target), *extras, *wheels.requires(own)])
    kind = "-".join(
        (target.machine, target.python, *(["tflite"] if target.tflite else ()), *extras)
    )
    place = cache.resolve() / "wheels" / kind
    stamp = place / "recipe.json"
    with locked(cache):
        if not (stamp.exists() and stamp.read_text() == recipe):
            shutil.rmtree(place, ignore_errors=True)
            folders: list[Path] = []
            if target.machine in REPACKED:
                work = place / "debian"
                made = repack.wheels(*REPACKED[target.machine], target, work)
                folders = [wheel.parent for wheel in made]
            wheels.gather(own, target, place, folders, extras)
            shutil.rmtree(place / "debian", ignore_errors=True)
            stamp.write_text(recipe)
    return sorted(place.glob("*.whl"))


def pip_wheel(cache: Path) -> Path:
    """pip, as a wheel that can run from itself.

    Raises:
        DownloadError: it cannot be downloaded.
    """
    place = cache.resolve() / "wheels" / "pip"
    with locked(cache):
        if not list(place.glob("*.whl")):
            place.mkdir(parents=True, exist_ok=True)
            wheels.download(["pip"], ["--only-binary", ":all:"], place)
    found = sorted(place.glob("*.whl"))
    if not found:
        raise DownloadError("pip's wheel was not downloaded")
    return found[-1]
