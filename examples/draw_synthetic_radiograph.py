"""Draw the synthetic chest radiograph that the examples score.

python examples/draw_synthetic_radiograph.py examples/synthetic-radiograph.png
"""

import argparse
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from edge_app.images.phantom import synthetic_radiograph

DESCRIPTION = (
    "SYNTHETIC chest radiograph, drawn from formulas by edge-cxr (size {size}, seed {seed}). "
    "Contains no patient data. Not for evaluation."
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw a synthetic chest radiograph as a PNG file.")
    parser.add_argument("output", type=Path, help="the PNG file to write")
    parser.add_argument("--seed", type=int, default=0, help="which anatomy and noise (default: 0)")
    parser.add_argument("--size", type=int, default=1024, help="pixels per side (default: 1024)")
    args = parser.parse_args()
    try:
        pixels = synthetic_radiograph(args.size, args.seed)
    except ValueError as error:
        parser.error(str(error))
    text = PngInfo()
    text.add_text("Description", DESCRIPTION.format(size=args.size, seed=args.seed))
    Image.fromarray(pixels).save(args.output, format="PNG", pnginfo=text, optimize=True)


if __name__ == "__main__":
    main()
