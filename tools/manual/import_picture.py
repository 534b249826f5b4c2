"""The picture of all imports between packages and floors.

    python -m tools.manual.import_picture [FILE]

The rows are the layers of the import contracts in `pyproject.toml`. An arc leads from a row to one
that it imports; pale arcs only shorten a way along dark ones. All arcs lead down, because the
contracts forbid others; one that leads up would be red, on the left.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

import grimp

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PICTURE: Final = REPOSITORY / "docs" / "develop" / "imports.svg"

Arc = tuple[str, str]
"""(importer, imported)."""

ROW: Final = 34
BOX: Final = (172, 24)
LEFT: Final = 60


def rows() -> list[str]:
    """The rows' modules from the top down: the packages, and the floors of `edge_app`."""
    tables = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    layers = {
        tuple(each.get("containers", ())): each["layers"]
        for each in tables["tool"]["importlinter"]["contracts"]
        if each["type"] == "layers"
    }
    packages = [name for name in layers[()] if name != "edge_app"]
    floors = [name.strip() for layer in layers["edge_app",] for name in layer.split(":")]
    return ["boards", *packages, *(f"edge_app.{floor}" for floor in floors)]


def imports(names: Sequence[str]) -> set[Arc]:
    """The imports between modules, including their submodules."""
    graph = grimp.build_graph(*sorted({name.partition(".")[0] for name in names}), cache_dir=None)
    arcs = {
        (_row(importer, names), _row(imported, names))
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
    }
    return {(importer, used) for importer, used in arcs if importer and used and importer != used}


def _row(module: str, names: Sequence[str]) -> str:
    """The row that a module belongs to; empty for none."""
    return next((name for name in names if f"{module}.".startswith(f"{name}.")), "")


def needed(arcs: Collection[Arc]) -> set[Arc]:
    """The arcs that no path of other arcs replaces (transitive reduction)."""
    below: dict[str, set[str]] = {}
    for importer, imported in arcs:
        below.setdefault(importer, set()).add(imported)

    def reaches(start: str, end: str, without: Arc) -> bool:
        seen, waiting = {start}, [start]
        while waiting:
            module = waiting.pop()
            for each in below.get(module, set()) - seen:
                if (module, each) == without:
                    continue
                if each == end:
                    return True
                seen.add(each)
                waiting.append(each)
        return False

    return {arc for arc in arcs if not reaches(*arc, without=arc)}


def svg(names: Sequence[str], arcs: Collection[Arc]) -> str:
    """The picture, for light and dark pages."""
    place = {name: 20 + ROW * index for index, name in enumerate(names)}
    width, height = LEFT + BOX[0] + 40 + 14 * len(names), 20 + ROW * len(names)
    dark = needed(arcs)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="13">',
        '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0 8 4 0 8z" fill="#7a8794"/></marker>',
    ]
    for arc in sorted(arcs, key=lambda arc: (arc in dark, arc)):
        lines.append(_arc(arc, place, needed=arc in dark))
    for name, top in place.items():
        colour = "#1f6f8b" if name.startswith("edge_app.") else "#7b4b94"
        lines.append(
            f'<rect x="{LEFT}" y="{top - BOX[1] // 2}" width="{BOX[0]}" height="{BOX[1]}" rx="4" '
            f'fill="{colour}"/><text x="{LEFT + BOX[0] // 2}" y="{top + 5}" fill="#fff" '
            f'text-anchor="middle">{name}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


def _arc(arc: Arc, place: Mapping[str, int], *, needed: bool) -> str:
    """One arc: on the right if it leads down, on the left and red if it leads up."""
    begin, end = place[arc[0]], place[arc[1]]
    down = end > begin
    side = LEFT + BOX[0] if down else LEFT
    bow = side + (1 if down else -1) * (14 + 18 * abs(end - begin) // ROW)
    colour = ("#7a8794" if needed else "#c3cbd3") if down else "#d00"
    return (
        f'<path d="M{side} {begin} C{bow} {begin} {bow} {end} {side + (2 if down else -2)} {end}" '
        f'fill="none" stroke="{colour}" stroke-width="{1.8 if needed else 0.8}" '
        f'marker-end="url(#head)"><title>{arc[0]} → {arc[1]}</title></path>'
    )


def picture() -> str:
    """The picture of the current code."""
    names = rows()
    return svg(names, imports(names))


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    target.write_text(picture(), "utf-8")
