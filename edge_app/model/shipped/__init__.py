"""The model files that come with the package."""

from typing import Final

DEFAULT_MODEL: Final = "cxr-lite0-fine"
