"""Where models are that were installed beside those of the package.

A folder of the user holds a folder for each name, with one for each version: its serial number, or
``unsigned-…``. The link ``current`` says which one answers to the name. It is replaced in one step;
``before`` in a version is the one that it took the place of.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

VARIABLE: Final = "EDGE_CXR_MODELS"
CURRENT: Final = "current"
BEFORE: Final = "before"
NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""As in the manifest's schema."""


def folder() -> Path:
    """Of all installed models: that of `VARIABLE`, or below the user's data."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    home = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(home, "edge-cxr", "models")


def find(name: str) -> Path | None:
    """The file of the installed model of that name; None where there is none."""
    if not NAME.fullmatch(name):
        return None
    version = current(folder() / name)
    return None if version is None else version / f"{name}.tflite"


def names() -> list[str]:
    """Of the installed models."""
    try:
        return sorted(name for name in os.listdir(folder()) if find(name) is not None)
    except OSError:
        return []


def current(home: Path) -> Path | None:
    """The version that the folder of a model's name leads to."""
    try:
        version = home / os.path.basename(os.readlink(home / CURRENT))
    except OSError:
        return None
    return version if version.is_dir() else None


def before(version: Path) -> Path | None:
    """The version that another one took the place of."""
    try:
        place = version.parent / os.path.basename(os.readlink(version / BEFORE))
    except OSError:
        return None
    return place if place.is_dir() else None


def serial(version: Path) -> int | None:
    """The number that a version was signed with; None where it was not signed."""
    return int(version.name) if version.name.isdecimal() else None
