"""Parts of messages that name options of the command line; a box has settings instead."""

from typing import Final

MAX_PIXELS: Final = "--max-pixels"
RAISE_BYTES: Final = "raise --max-bytes if it is really an image"
