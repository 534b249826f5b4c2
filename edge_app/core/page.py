"""HTML pages that open offline: no scripts, no network, no other files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from edge_app.core.about import DISCLAIMER
from edge_app.core.errors import OutputError
from edge_app.core.files import write_whole
from edge_app.core.svg import element, escape

STYLE: Final = Path(__file__).with_name("page.css")
# A page made from somebody else's report must not be able to call home.
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def document(title: str, style: Path, body: Iterable[str], policy: str = POLICY) -> str:
    """A page.

    Args:
        title: plain text.
        style: a style sheet in addition to that of all pages.
        body: header and sections, HTML.
        policy: what the page may load; see Content Security Policy, W3C.
    """
    sheets = STYLE.read_text("utf-8") + style.read_text("utf-8")
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>\n{sheets}</style>",
            "</head>\n<body>\n<main>",
            *body,
            f"<footer>{escape(DISCLAIMER)}</footer>\n</main>\n</body>\n</html>\n",
        ]
    )


def section(title: str, words: str, body: str) -> str:
    """A heading, a paragraph of plain text, and HTML."""
    lead = f"<p>{escape(words)}</p>" if words else ""
    return f"<section>\n<h2>{escape(title)}</h2>\n{lead}\n{body}\n</section>"


def table(columns: Iterable[str], rows: Iterable[Iterable[str]], kind: str = "") -> str:
    """A table that scrolls where it is wider than the page; cells are HTML already."""
    head = "".join(f"<th>{column}</th>" for column in columns)
    lines = ("".join(f"<td>{cell}</td>" for cell in row) for row in rows)
    body = "\n".join(f"<tr>{cells}</tr>" for cells in lines)
    whole = f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>"
    return element("div", whole, kind=f"wide {kind}".strip())


def write(page: str, path: Path) -> None:
    """Write a page, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        write_whole(path, page.encode())
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from None
