"""Finding what the pages of a site would load from other hosts, so that it works offline."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

LOADING: Final = {
    "href": ("link",),
    "src": ("script", "img", "iframe", "audio", "video", "source", "embed", "input", "track"),
    "srcset": ("img", "source"),
    "data": ("object",),
    "poster": ("video",),
}
"""Attributes that make a browser load something, and the elements in which they do."""

NAMING: Final = ("canonical", "alternate", "next", "prev", "license", "author")
"""Relations of `<link>` that name a page and load none."""

EXTERNAL: Final = re.compile(r"^\s*(?:https?:)?//", re.IGNORECASE)
IN_STYLES: Final = re.compile(
    r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s;]+)""", re.IGNORECASE
)


class _Loads(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        if tag == "link" and set(values.get("rel", "").split()) & set(NAMING):
            return
        for name, value in values.items():
            if tag in LOADING.get(name, ()) and EXTERNAL.match(value):
                self.found.append(value.strip())
            if name == "style":
                self.found += IN_STYLES.findall(value)


def external_loads(site: Path) -> list[str]:
    """Each load from another host in a built site's HTML and style sheets, as `page: address`.

    Scripts are not read; only a browser's list of requests shows theirs.
    """
    found = []
    for path in sorted(site.rglob("*")):
        if path.suffix not in (".html", ".css", ".svg"):
            continue
        text = path.read_text("utf-8", "replace")
        addresses = IN_STYLES.findall(text)
        if path.suffix == ".html":
            parser = _Loads()
            parser.feed(text)
            addresses = parser.found + (IN_STYLES.findall(text) if "<style" in text else [])
        found += [f"{path.relative_to(site).as_posix()}: {each}" for each in addresses]
    return found
