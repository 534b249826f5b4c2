"""The folder of installed models, in addition to those of the package.

The user's folder holds a folder for each name, with one for each version, named by its serial
number, or ``unsigned-…``. The link ``current`` leads to the version in use and is replaced in one
step; the link ``before`` in a version leads to the one that it replaced.
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
"""A model's name, as in the manifest's schema."""


def folder() -> Path:
    """The folder of all installed models: that of `VARIABLE`, or one in the user's data."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    home = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(home, "edge-cxr", "models")


def find(name: str) -> Path | None:
    """The file of an installed model; None if there is none of that name."""
    if not NAME.fullmatch(name):
        return None
    version = current(folder() / name)
    return None if version is None else version / f"{name}.tflite"


def names() -> list[str]:
    """The names of the installed models."""
    try:
        return sorted(name for name in os.listdir(folder()) if find(name) is not None)
    except OSError:
        return []


def current(home: Path) -> Path | None:
    """The version in use, in the folder of a model's name; None if there is none."""
    try:
        version = home / os.path.basename(os.readlink(home / CURRENT))
    except OSError:
        return None
    return version if version.is_dir() else None


def before(version: Path) -> Path | None:
    """The version that `version` replaced; None if there is none."""
    try:
        place = version.parent / os.path.basename(os.readlink(version / BEFORE))
    except OSError:
        return None
    return place if place.is_dir() else None


def serial(version: Path) -> int | None:
    """The serial number that a version was signed with; None if it was not signed."""
    return int(version.name) if version.name.isdecimal() else None
