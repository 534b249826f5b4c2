"""Opening the network that a run starts from: one of `networks/`, or a finished run."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from train.data_types import StartFacts
from train.errors import RunError
from train.finished_run import open_run
from train.source import Source

KEPT: Final = Path(__file__).resolve().parent.parent / "networks"
"""Run folders in the repository: the shipped models' float networks, and others to start from."""

NETWORK_FILE: Final = "model.keras"


def open_source(name: str) -> Source:
    """Open the network that a run starts from.

    Args:
        name: a kept network's name, a finished run's folder, or the `model.keras` in it.

    Raises:
        RunError: it is none of these, or damaged.
    """
    run = open_run(_folder(name))
    facts: StartFacts = {
        "name": run.folder.resolve().name,
        "network": run.recipe.network,
        "sha256": hashlib.sha256((run.folder / NETWORK_FILE).read_bytes()).hexdigest(),
        "head": "kept",
        "dataset": run.config.dataset,
    }
    return Source(run.model, run.recipe, run.labels, facts)


def kept_names() -> list[str]:
    """The names of the networks in the repository."""
    return sorted(path.parent.name for path in KEPT.glob(f"*/{NETWORK_FILE}"))


def _folder(name: str) -> Path:
    if name in kept_names():
        return KEPT / name
    path = Path(name)
    if path.is_dir():
        return path
    if path.name == NETWORK_FILE and path.is_file():
        return path.parent
    what = "an int8 model file holds no float weights" if path.suffix == ".tflite" else "is no run"
    raise RunError(
        f"{name}: {what}: give {', '.join(kept_names())}, a finished run's folder, "
        f"or the {NETWORK_FILE} in one"
    )
