"""Files found by coverage: what reads them is followed line by line, and led into new ones.

    pip install -e '.[fuzz]'
    python -m tests.device.fuzz KIND [--seconds 240] [--keep FOLDER]

KIND is one of `tests/device/damage.py`, or ``picture``. Atheris (libFuzzer for Python) begins with
that module's drawn files and keeps each that reaches a new branch. It ends at the first fault, with
the file in `--keep` and exit code 1; a fault is what that module calls one. What is found becomes a
test.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Final

import atheris

FOLLOWED: Final = (
    *("clinic.header", "comparison.compare", "comparison.html", "core.trust"),
    *("evaluation.evaluate", "evaluation.second_reference", "images.dicom", "images.png"),
    *("images.read", "images.tiff", "inspection.catalogue", "inspection.kits"),
    *("model.manifest_check_generated", "model.site", "model.site_check_generated"),
    *("performance.compare", "performance.result", "site.results"),
)
"""Modules of edge_app, with all that they import."""

with atheris.instrument_imports(include=["edge_app"]):
    for name in FOLLOWED:
        import_module(f"edge_app.{name}")

from . import damage  # noqa: E402  # after what it reads with is followed
from .images.corpus import corpus  # noqa: E402

PICTURE: Final = "picture"


def picture() -> damage.Kind:
    """Of all formats; only what the project's own code decodes is followed."""
    from edge_app.images.radiograph import Limits
    from edge_app.images.read import decode

    def read(folder: Path, data: bytes) -> None:
        decode(data, Limits(max_pixels=1 << 20))

    return damage.Kind(corpus(), read)


def main() -> None:
    parser = argparse.ArgumentParser(description="Files found by coverage.")
    parser.add_argument("kind", choices=(*damage.KINDS, PICTURE))
    parser.add_argument("--seconds", type=int, default=240)
    parser.add_argument("--keep", type=Path, default=Path("fuzzed"), metavar="FOLDER")
    asked = parser.parse_args()
    kind = picture() if asked.kind == PICTURE else damage.KINDS[asked.kind]()
    asked.keep.mkdir(parents=True, exist_ok=True)

    def one(data: bytes) -> None:
        _, fault = damage.outcome(kind, data, seconds=0)
        if fault:
            print(f"{asked.kind}: {fault}", file=sys.__stderr__)
            os._exit(_kept(asked.keep / f"{asked.kind}-{hash(data) & 0xFFFFFF:06x}", data))

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        """Damage that knows the file's form, or libFuzzer's own."""
        random = Random(seed)
        if data and kind.mutations and random.random() < 0.5:
            return random.choice(kind.mutations)(random, bytes(data))[:most]
        return bytes(atheris.Mutate(data, most))

    with tempfile.TemporaryDirectory() as work:
        _write(Path(work), kind.seeds)
        largest = max(map(len, kind.seeds.values()))
        options = [f"-max_total_time={asked.seconds}", f"-max_len={2 * largest}", "-verbosity=0"]
        options += [f"-timeout={damage.SECONDS}", f"-artifact_prefix={asked.keep}/{asked.kind}-"]
        atheris.Setup(
            [sys.argv[0], *options, "-print_final_stats=1", work], one, custom_mutator=mutated
        )
        atheris.Fuzz()


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).write_bytes(data)


def _kept(place: Path, data: bytes) -> int:
    place.write_bytes(data)
    return 1


if __name__ == "__main__":
    main()
