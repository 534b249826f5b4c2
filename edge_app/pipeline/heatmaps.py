"""A writer that saves a heatmap for each answered image, and lets another print the answers."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Final

from edge_app.classifier import Classifier, Findings
from edge_app.core.console import complain
from edge_app.core.errors import EdgeCxrError, OutputError, UsageError
from edge_app.core.files import write_whole
from edge_app.heatmap.draw import draw
from edge_app.heatmap.maps import EvidenceScale
from edge_app.images.radiograph import Radiograph
from edge_app.pipeline.sources import STANDARD_INPUT
from edge_app.pipeline.words import under_maps
from edge_app.pipeline.writers import Writer

STEM_BYTES: Final = 150
"""The longest part of an image's name in its heatmap's name, which has at most 255 bytes."""

PICTURES: Final = (".png", ".jpg", ".jpeg")
"""Endings that are refused for a new folder: whoever names one means a file."""


class HeatmapWriter:
    """Writes a PNG for each answer into a folder, and passes the answer on with its name and peaks.

    A file's name is the image's, and the beginning of the SHA-256 of its content, so that two
    images with the same name get two heatmaps, and the same image gets the same.

    Args:
        inner: prints the answers.
        classifier: that answers.
        folder: made with the first heatmap if it does not exist.
        overwrite: replace heatmaps of an earlier call.

    Attributes:
        failed: how many heatmaps could not be written; their answers were printed nevertheless.
        undrawn: how many images have none, because they were not scored.

    Raises:
        UsageError: the model has no map to draw.
        OutputError: the folder cannot be made.
    """

    needs_picture = True

    def __init__(
        self, inner: Writer, classifier: Classifier, folder: Path, *, overwrite: bool
    ) -> None:
        self.inner, self.folder, self.overwrite = inner, folder, overwrite
        self.failed = self.undrawn = 0
        self._written: set[Path] = set()
        model = classifier.model
        if not model.has_map:
            raise UsageError(
                f"--heatmap: {model.name} has no map of where its findings are seen: "
                "leave --heatmap out, or take a model that has one"
            )
        self._spec, self._scale = classifier.spec, EvidenceScale(model.manifest)
        self._by = under_maps(classifier)
        _require_room(folder)

    def answer(self, name: str, image: Radiograph, findings: Findings) -> None:
        if findings.findings:
            try:
                findings = findings._replace(heatmap=self._write(name, image, findings))
            except OutputError as error:
                self.failed += 1
                complain(f"{name}: {error}")
        else:
            self.undrawn += 1
        self.inner.answer(name, image, findings)

    def _write(self, name: str, image: Radiograph, findings: Findings) -> dict[str, object]:
        path = self.folder / file_name(name, str(image.facts["sha256"]))
        height, width = image.pixels.shape
        seen = self._spec.seen(width, height)
        drawn = draw(image.pixels, findings, self._scale, self._by, seen)
        if path not in self._written:
            if os.path.lexists(path) and not self.overwrite:
                raise OutputError(f"{path}: is already there: --overwrite replaces it")
            file = BytesIO()
            drawn.image.save(file, "PNG", compress_level=2)
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                write_whole(path, file.getvalue())
            except OSError as error:
                raise OutputError(f"{path}: cannot be written: {error.strerror}") from None
            self._written.add(path)
        width, height = drawn.size
        return {
            "file": str(path),
            "width": width,
            "height": height,
            "worth": self._scale.worth,
            "findings": drawn.peaks,
        }

    def refusal(self, name: str, error: EdgeCxrError) -> None:
        self.inner.refusal(name, error)

    def close(self) -> None:
        self.inner.close()


def _require_room(folder: Path) -> None:
    """Raise an OutputError if a folder cannot be made; it is not made here."""
    there = next(each for each in (folder, *folder.absolute().parents) if os.path.lexists(each))
    reason = None
    if folder.suffix.lower() in PICTURES and there != folder:
        reason = "it is named like a picture, and a folder is wanted: leave the ending off"
    elif not there.is_dir():
        reason = f"{there} is no folder"
    elif not os.access(there, os.W_OK | os.X_OK):
        reason = f"{there} cannot be written to"
    if reason:
        raise OutputError(f"{folder}: cannot hold heatmaps: {reason}")


def file_name(name: str, sha256: str) -> str:
    """An image's name and digest → its heatmap's file name, safe in any file system."""
    stem = "standard-input" if name == STANDARD_INPUT else Path(name).stem
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in stem).lstrip(".-")
    short = safe.encode()[:STEM_BYTES].decode("utf-8", "ignore") or "image"
    return f"{short}-{sha256[:12]}.png"
