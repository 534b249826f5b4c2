"""One frame of a camera, as the bytes of an image file."""

from __future__ import annotations

from io import BytesIO
from typing import Final

from edge_app.core import native_stderr
from edge_app.core.errors import ImageError
from edge_app.film.opencv import opencv
from edge_app.images.radiograph import Reader
from edge_app.images.read import read_image

WARM_UP: Final = 8
"""Frames that are thrown away while exposure and white balance settle."""


def camera_reader(number: int) -> Reader[str]:
    """A reader that takes a frame of camera `number`; the source only names the picture."""
    opencv()
    return lambda source, limits: read_image(BytesIO(capture(number)), limits)


def capture(number: int) -> bytes:
    """A frame of camera `number` as a PNG.

    Raises:
        MissingExtraError: OpenCV is not there.
        ImageError: there is no such camera, or it gives no picture.
    """
    cv2 = opencv()
    with native_stderr.silenced():  # its drivers print
        camera = cv2.VideoCapture(number)
        try:
            if not camera.isOpened():
                raise ImageError(
                    f"camera {number} cannot be opened: is it plugged in (/dev/video{number}), "
                    "used by another program, or not permitted (group video)?"
                )
            frame = None
            for _ in range(WARM_UP):
                good, seen = camera.read()
                frame = seen if good else frame
        finally:
            camera.release()
    if frame is None:
        raise ImageError(f"camera {number} gives no picture")
    good, data = cv2.imencode(".png", frame)
    if not good:
        raise ImageError(f"camera {number} gives a picture that cannot be kept")
    return bytes(data.tobytes())
