"""Hooks that MkDocs calls while it builds the manual; named in `mkdocs.yml`.

Start it as `python -m mkdocs` in the root of the repository, whose packages it imports.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tools.manual.external import external_loads
from tools.manual.pages import REPOSITORY, Site, reference

SITE = Site()
SOURCES: dict[str, str] = {}
"""Place in the site → source, for pages from outside of `docs/` and for notebooks."""


def on_files(files: Files, *, config: MkDocsConfig, **_: Any) -> Files:
    """Add the reference, README as the first page, and linked files outside of `docs/`."""
    for place, text in reference().items():
        files.append(
            File.generated(config, place, content=SITE.linked(text, place, generated=True))
        )
    for source in sorted(SITE.needed()):
        place = SITE.place(source)
        if place.endswith(".md"):
            SOURCES[place] = source
            files.append(File.generated(config, place, content=SITE.content(source)))
        else:
            files.append(File.generated(config, place, abs_src_path=str(REPOSITORY / source)))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Turn links within the repository into links of the site."""
    place = page.file.src_uri
    if page.file.generated_by and place not in SOURCES:
        return markdown
    return SITE.linked(markdown, SOURCES.get(place, f"docs/{place}"))


def on_post_build(*, config: MkDocsConfig, **_: Any) -> None:
    """Fail if a page would load anything from elsewhere."""
    found = external_loads(Path(config.site_dir))
    if found:
        raise PluginError("the manual would load from elsewhere:\n" + "\n".join(found))
