"""Fixtures of all test folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def nih() -> Path:
    """The NIH subset: `EDGE_CXR_DATA`, or where it lies beside the repository."""
    beside = REPOSITORY.parent / "shared" / "data" / "nih-chestxray14-subset"
    folder = Path(os.environ.get("EDGE_CXR_DATA") or beside)
    if not (folder / "images").is_dir():
        pytest.skip(f"the NIH subset is not at {folder}: set EDGE_CXR_DATA to its folder")
    return folder
