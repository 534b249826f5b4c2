"""OpenCV, imported when a photograph asks for it."""

from __future__ import annotations

from typing import Any

from edge_app.core.errors import MissingExtraError


def opencv() -> Any:
    """The module `cv2`.

    Raises:
        MissingExtraError: it is not installed, or does not work here.
    """
    try:
        import cv2
    except Exception as error:  # a wheel for another numpy raises more than ImportError
        reason = " ".join(str(error).split())[:120]
        raise MissingExtraError(
            f"photographs of films need OpenCV: pip install 'edge-cxr[opencv]' ({reason})"
        ) from None
    return cv2
