"""A drawn radiograph with a white patch, which the default model flags: nobody's, like the others.

python -m tools.manual.hazy FILE.png
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from edge_app.images.phantom import synthetic_radiograph

SIZE: Final = 512
SEED: Final = 126
PATCH: Final = (60, 210, 240, 450)
"""Left, top, right and bottom of an ellipse over one lung."""

WHITE: Final = 220
BLUR: Final = 10


def drawn() -> Image.Image:
    """The picture, 8-bit grayscale."""
    patch = Image.new("L", (SIZE, SIZE))
    ImageDraw.Draw(patch).ellipse(PATCH, fill=WHITE)
    blurred = np.asarray(patch.filter(ImageFilter.GaussianBlur(BLUR)))
    return Image.fromarray(np.maximum(synthetic_radiograph(SIZE, SEED), blurred))


if __name__ == "__main__":
    drawn().save(Path(sys.argv[1]))
