"""Small files that a person writes for a command: TOML, JSON or plain text."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from edge_app.core.files import UnreadableError, read_bounded
from train.errors import DatasetError

MAX_BYTES: Final = 1 << 20


def read_written(path: Path) -> Any:
    """What a ``.toml`` or ``.json`` file holds; the text of any other.

    Raises:
        DatasetError: it cannot be read, or is not what its name says.
    """
    try:
        text = read_bounded(path, MAX_BYTES).decode("utf-8-sig")
    except UnreadableError as error:
        raise DatasetError(f"{path}: {error}") from None
    except UnicodeDecodeError:
        raise DatasetError(f"{path}: is not UTF-8 text: save it as UTF-8") from None
    kind = path.suffix.lower()
    try:
        if kind == ".toml":
            return _toml(path, text)
        return json.loads(text) if kind == ".json" else text
    except ValueError as error:
        raise DatasetError(f"{path}: is no {kind[1:].upper()}: {error}") from None


def _toml(path: Path, text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError:
            raise DatasetError(f"{path}: pip install tomli, or write it as .json") from None
    return tomllib.loads(text)
