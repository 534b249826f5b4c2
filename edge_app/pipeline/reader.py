"""A source → its radiograph: a file, standard input, bytes, an open file or an array."""

from __future__ import annotations

import os
import sys
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, TypeAlias, cast

from edge_app.core.errors import ImageError
from edge_app.core.plain_text import is_utf8
from edge_app.core.steps import Watch, unwatched
from edge_app.images.radiograph import Limits, Radiograph, Reader
from edge_app.images.read import Decoder, read_image
from edge_app.pipeline.interrupts import at_once
from edge_app.pipeline.sources import STANDARD_INPUT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ImageSource: TypeAlias = (
    "str | os.PathLike[str] | bytes | IO[bytes] | NDArray[np.uint8 | np.uint16]"
)
"""Sources in Python: a path, a file's bytes, an open file, an array."""


def is_stream(source: object) -> bool:
    """Whether a source can be read only once: standard input, or an open file."""
    return source == STANDARD_INPUT if isinstance(source, str) else hasattr(source, "read")


def read_source(
    source: str,
    limits: Limits,
    min_side: int | None = None,
    *,
    digest: bool = True,
    watch: Watch = unwatched,
    decoder: Decoder | None = None,
) -> Radiograph:
    """The radiograph in a file, or on standard input if the source is ``-``.

    See `read_image` for the other arguments.

    Raises:
        ImageError: it cannot be read; the message is one line.
    """
    if source == STANDARD_INPUT:
        if sys.stdin is None:
            raise ImageError("standard input is closed")
        with at_once():
            return read_image(
                *(sys.stdin.buffer, limits, min_side), digest=digest, watch=watch, decoder=decoder
            )
    if not is_utf8(source):
        raise ImageError("its name is not UTF-8, so no result could be tied to it: rename it")
    return read_image(source, limits, min_side, digest=digest, watch=watch, decoder=decoder)


def read_image_source(
    source: ImageSource, limits: Limits, min_side: int | None = None, *, digest: bool = True
) -> Radiograph:
    """The radiograph in a source of the Python interface.

    Args:
        source: a path, a file's bytes, an open binary file, or H×W uint8 or uint16 (air dark).
        limits, min_side, digest: see `read_image`; an array is never shrunk and has no digest.

    Raises:
        ImageError: it cannot be read; the message is one line.
    """
    if isinstance(source, bytes):
        return read_image(BytesIO(source), limits, min_side, digest=digest)
    if isinstance(source, (str, os.PathLike)):
        return read_image(source, limits, min_side, digest=digest)
    if is_stream(source):
        return read_image(cast("IO[bytes]", source), limits, min_side, digest=digest)
    from edge_app.images.array import from_array

    return from_array(source, limits)


def ready(source: Radiograph, limits: Limits) -> Radiograph:
    """The reader for sources that are radiographs already."""
    return source


def attempted(read: Reader[Any], source: object, limits: Limits) -> Radiograph | ImageError:
    """The radiograph, or why there is none."""
    try:
        return read(source, limits)
    except ImageError as error:
        error.__context__ = None  # its frames would keep the file in memory
        return error.with_traceback(None)
