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
SEED: Final = 123
PATCH: Final = (120, 222, 368, 462)
"""Left, top, right and bottom of an ellipse over the heart and beside it."""

WHITE: Final = 236
BLUR: Final = 18


def drawn() -> Image.Image:
    """The picture, 8-bit grayscale."""
    patch = Image.new("L", (SIZE, SIZE))
    ImageDraw.Draw(patch).ellipse(PATCH, fill=WHITE)
    blurred = np.asarray(patch.filter(ImageFilter.GaussianBlur(BLUR)))
    return Image.fromarray(np.maximum(synthetic_radiograph(SIZE, SEED), blurred))


if __name__ == "__main__":
    drawn().save(Path(sys.argv[1]))
