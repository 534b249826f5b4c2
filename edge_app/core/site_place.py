"""The place of the site file; `model.site` reads it, and is imported only if there is one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from edge_app.core.errors import UsageError

NONE: Final = "none"
"""Given instead of a file's name: no site file decides."""

VARIABLE: Final = "EDGE_CXR_SITE"
SYSTEM: Final = "/etc/edge-cxr/site.json"


def site_place(named: str | None = None) -> Path | None:
    """The site file that decides.

    The one that is named, or that of the environment variable `EDGE_CXR_SITE`; otherwise
    ``edge-cxr/site.json`` in the user's configuration ($XDG_CONFIG_HOME, or ~/.config), or
    `SYSTEM`, where one of them is there.

    Args:
        named: a file, or `NONE`.

    Returns:
        None if there is no site file, or `named` is `NONE`.

    Raises:
        UsageError: an empty name.
    """
    if named is None:
        named = os.environ.get(VARIABLE) or None
    if named is not None:
        if not named:
            raise UsageError(f"--site: name a file, or {NONE}")
        return None if named == NONE else Path(named)
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    for place in (os.path.join(home, "edge-cxr", "site.json"), SYSTEM):
        if os.path.lexists(place):
            return Path(place)
    return None
