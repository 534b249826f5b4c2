"""Advice in messages that is written for the command line; a box has settings in its place."""

from typing import Final

MAX_PIXELS: Final = "--max-pixels"
RAISE_BYTES: Final = "raise --max-bytes if it is really an image"
