"""Generated pages of the manual: the reference, and files outside of `docs/` that pages link to.

Every page has a source in the repository or is generated. `Site` maps sources to pages, so that
links between files of the repository lead from page to page.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tools.manual import commands, exit_codes, schemas
from tools.manual.standins import stand_ins

REPOSITORY: Final = Path(__file__).resolve().parents[2]

LINK: Final = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")
FENCE: Final = re.compile(r"^ *(```|~~~)")

ELSEWHERE: Final = "repository"
"""Folder of the site for files outside of `docs/`."""

LISTED: Final = (".md", ".json")
"""Endings of the files in a linked folder that are in the site."""

PYTHON: Final = """\
# Python

What `import edge_app` offers; [how to use it](/docs/python.md). All else may change without a word.

{}
"""


def reference() -> Mapping[str, str]:
    """The generated pages of the reference: place in the site → Markdown."""
    import edge_app

    names = [name for name in edge_app.__all__ if not name.isupper() and name[0] != "_"]
    entries = [f"::: edge_app.{name}" for name in sorted(names, key=_functions_first)]
    pages = {
        "reference/python.md": PYTHON.format("\n\n".join(entries)),
        "reference/exit-codes.md": exit_codes.page(),
    }
    with stand_ins():
        for program in commands.PROGRAMS:
            pages[f"reference/{program.split()[-1]}.md"] = commands.page(program)
    for schema in sorted(schemas.EDGE_APP.rglob("*.schema.json")):
        pages[f"reference/json-{schema.name.split('.')[0]}.md"] = schemas.page(schema)
    return pages


def _functions_first(name: str) -> tuple[int, str]:
    return (2 if name.endswith("Error") else int(name[0].isupper()), name)


class Site:
    """Maps files of the repository to places in the site."""

    def place(self, source: str) -> str:
        """The place of a file or folder in the site, both relative to their roots, with `/`."""
        if source == "README.md":
            return "index.md"
        if (REPOSITORY / source).is_dir():
            return f"{ELSEWHERE}/{source}/index.md"
        if source.endswith(".ipynb"):
            source = f"{source.removesuffix('.ipynb')}.md"
        inside = source.removeprefix("docs/")
        return inside if inside != source else f"{ELSEWHERE}/{source}"

    def content(self, source: str) -> str:
        """The Markdown of a page that is not simply a file of `docs/`."""
        path = REPOSITORY / source
        if path.is_dir():
            return listing(path)
        text = path.read_text("utf-8")
        return notebook(text) if path.suffix == ".ipynb" else text

    def linked(self, text: str, source: str, generated: bool = False) -> str:
        """A page's text with links to places in the site.

        Args:
            text: Markdown with links as in the repository; a leading `/` means its root.
            source: the page's file or folder.
            generated: whether it has no file, and `source` is its place in the site.
        """
        here = source if generated else self.place(source)

        def rewritten(found: re.Match[str]) -> str:
            target = self.target(found[2], source)
            if target is None:
                return found[0]
            way = posixpath.relpath(self.place(target), posixpath.dirname(here) or ".")
            return f"{found[1]}{way}{found[3]}"

        return "\n".join(
            LINK.sub(rewritten, line) if prose else line for line, prose in lines_of(text)
        )

    def target(self, link: str, source: str) -> str | None:
        """The file or folder of the repository that a link leads to; None for other links."""
        if re.match(r"[a-z]+:", link):
            return None
        folder = source if (REPOSITORY / source).is_dir() else posixpath.dirname(source)
        whole = link[1:] if link.startswith("/") else posixpath.join(folder, link)
        path = posixpath.normpath(whole)
        return path if not path.startswith("..") and (REPOSITORY / path).exists() else None

    def needed(self) -> set[str]:
        """The sources of the site besides the plain files of `docs/`.

        README, the notebooks as pages, the schemas, and everything that these link to.
        """
        waiting = ["README.md", *_sources("docs/**/*.md"), *_sources("docs/**/*.ipynb")]
        waiting += _sources("edge_app/**/*.schema.json")
        found = set(waiting)
        while waiting:
            source = waiting.pop()
            if not (source.endswith((".md", ".ipynb")) or (REPOSITORY / source).is_dir()):
                continue
            targets = {self.target(link, source) for link in links(self.content(source))}
            new = {each for each in targets if each is not None} - found
            found |= new
            waiting += sorted(new)
        return {each for each in found if not each.startswith("docs/") or each.endswith(".ipynb")}


def _sources(pattern: str) -> Iterator[str]:
    for path in REPOSITORY.glob(pattern):
        yield path.relative_to(REPOSITORY).as_posix()


def lines_of(text: str) -> Iterator[tuple[str, bool]]:
    """Each line of Markdown, and whether it is prose rather than code between fences."""
    code = False
    for line in text.split("\n"):
        fence = FENCE.match(line) is not None
        yield line, not (code or fence)
        code ^= fence


def links(text: str) -> Iterator[str]:
    """The targets of links in the prose of a page, without fragments."""
    for line, prose in lines_of(text):
        if prose:
            yield from (found[2] for found in LINK.finditer(line))


def listing(folder: Path) -> str:
    """A page that lists the reports in a folder."""
    files = sorted(each for each in folder.rglob("*") if each.suffix in LISTED)
    names = [each.relative_to(folder).as_posix() for each in files]
    return "\n".join([f"# {folder.name}", "", *(f"- [{name}]({name})" for name in names), ""])


def notebook(text: str) -> str:
    """A notebook without outputs, as Markdown."""
    pieces = []
    for each in json.loads(text)["cells"]:
        source = "".join(each["source"])
        pieces.append(f"```python\n{source}\n```" if each["cell_type"] == "code" else source)
    return "\n\n".join([*pieces, ""])
