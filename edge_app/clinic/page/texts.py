"""All texts of the page, from one file a language: ``texts/en.toml`` and its neighbours."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edge_app.clinic.faults import SettingsError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER: Final = Path(__file__).with_name("texts")
ENGLISH: Final = "en"


class Texts:
    """The texts of one language; English where its file, made for an older version, lacks one.

    Args:
        language: the name of a file.

    Raises:
        SettingsError: there is no such file.
    """

    def __init__(self, language: str) -> None:
        path = FOLDER / f"{language}.toml"
        if not path.is_file():
            known = ", ".join(languages())
            raise SettingsError(f"[page] language is {language!r}: there are {known}")
        self.language = language
        self._texts = {**_read(FOLDER / f"{ENGLISH}.toml"), **_read(path)}

    def __call__(self, key: str, **values: object) -> str:
        """A text, with values in the places that it names."""
        text = self._texts[key]
        return text.format(**values) if values else text

    def keys(self) -> set[str]:
        """Of all texts."""
        return set(self._texts)


def _read(path: Path) -> Mapping[str, str]:
    return _flat(tomllib.loads(path.read_text("utf-8")))


def languages() -> list[str]:
    """The languages with a file."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def _flat(table: Mapping[str, Any], prefix: str = "") -> Mapping[str, str]:
    found: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = str(value)
    return found
