"""The heatmap of one finding as a picture of its own, to be laid over the radiograph."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final

import numpy as np

from edge_app.heatmap.colours import coloured
from edge_app.heatmap.draw import OPACITY, borders
from edge_app.heatmap.maps import EvidenceScale, outlined, strength

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_app.model.manifest_types import Manifest
    from edge_app.model.preprocess import Box, InputSpec

LONGER_SIDE: Final = 640
"""Pixels of the overlay's longer side: a map has few cells, and a browser enlarges it."""


class Overlays:
    """Makes overlays of the maps of one model.

    Args:
        manifest: the model's.
        spec: the input of its network.

    Attributes:
        usual, worth: as of `EvidenceScale`.
    """

    def __init__(self, manifest: Manifest, spec: InputSpec) -> None:
        self._scale, self._spec = EvidenceScale(manifest), spec
        self.usual = self._scale.usual
        self.worth = self._scale.worth

    def square(
        self, cells: NDArray[np.float32], channel: int, width: int, height: int
    ) -> Box | None:
        """The square where a label's map is strongest, in shares of the sides; None if no place
        stands out, or such squares are not worth an outline."""
        if not self._scale.outlines:
            return None
        weighed = self._scale.weighed(cells, channel)
        return outlined(weighed, self._spec.seen(width, height))

    def png(self, cells: NDArray[np.float32], channel: int, width: int, height: int) -> bytes:
        """A label's map in colours, RGBA, in the picture's shape.

        Args:
            cells: h×w×L, the network's map.
            channel: of the label.
            width, height: of the picture.
        """
        from PIL import Image

        scale = min(1.0, LONGER_SIDE / max(width, height))
        across, down = max(1, round(width * scale)), max(1, round(height * scale))
        seen = self._spec.seen(width, height)
        strong = strength(self._scale.weighed(cells, channel), down, across, seen)
        alpha = np.rint(255 * OPACITY * strong).astype(np.uint8)
        rgba = np.dstack([coloured(strong), alpha])
        lines = borders(cells.shape, down, across, seen)
        rgba = np.where(lines[..., 3:] > 0, lines, rgba)
        file = BytesIO()
        Image.fromarray(rgba).save(file, "PNG", compress_level=6)
        return file.getvalue()
