"""The manual's pictures of an answer: a heatmap with its legend, and pages of `--html`.

    python -m tools.manual.answer_pictures        # needs Debian's chromium for the pages

They show a drawn radiograph with a white patch, which is nobody's, scored by the default model; the
page of `calibrate` is made from that model's report.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image

from edge_app.model.shipped import DEFAULT_MODEL
from tools.manual.hazy import drawn

REPOSITORY: Final = Path(__file__).resolve().parents[2]
DOCS: Final = REPOSITORY / "docs"


def main() -> None:
    """Draw, classify, calibrate, and keep the pictures in `docs/`."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        drawn().save(place / "drawn.png")
        classify = [sys.executable, "-m", "edge_app", "classify", "drawn.png"]
        for more in (["--heatmap", "maps"], ["--html", "answers.html"]):
            subprocess.run([*classify, *more], cwd=place, check=True, env=_here())
        (heatmap,) = (place / "maps").iterdir()
        _keep(heatmap, DOCS / "heatmap.png")
        report = str(REPOSITORY / "reports" / DEFAULT_MODEL / "int8.json")
        calibrate = [sys.executable, "-m", "edge_app", "calibrate", report, "--html", "site.html"]
        subprocess.run(calibrate, cwd=place, check=True, env=_here())
        _photograph(place / "answers.html", place / "page.png", (1100, 1990))
        _keep(place / "page.png", DOCS / "answers-page.png")
        _photograph(place / "site.html", place / "site.png", (1100, 1570))
        _keep(place / "site.png", DOCS / "site.png")


def _keep(picture: Path, place: Path) -> None:
    """Save a picture in 256 colours, which takes half the space."""
    with Image.open(picture) as image:
        image.convert("RGB").quantize(
            256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        ).save(place, optimize=True)


def _here() -> dict[str, str]:
    """An environment with this checkout's application and no local settings."""
    return {"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


def _photograph(page: Path, picture: Path, size: tuple[int, int]) -> None:
    """Save a screenshot of a page in a browser window of this width and height."""
    browser = ["chromium", "--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu"]
    shot = [f"--screenshot={picture}", f"--window-size={size[0]},{size[1]}", page.as_uri()]
    subprocess.run([*browser, *shot], check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
