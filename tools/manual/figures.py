"""The figures of README and the manual, each tied to the file that a command wrote.

`docs/figures.toml` is the list of ties. A `[[figure]]` is a phrase of some pages with places for
values in it, as `str.format` knows them, and the files that the values come from; `!c` makes a
share its complement, `!p` hundredths, `!q` its complement in hundredths. A `[[section]]` is what a
page shows between two markers, `[[lines]]` are lines of a page: both stand in a file as they are.
"""

from __future__ import annotations

import json
import re
import string
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from edge_app.model.model_file import read

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY: Final = Path(__file__).resolve().parents[2]
LIST: Final = REPOSITORY / "docs" / "figures.toml"

NAMES: Final = ("label", "name", "group")
"""Keys by which an element of a list is named."""


CONVERSIONS: Final = {"c": (1, -1), "p": (0, 100), "q": (100, -100)}
"""Of a share: what is added to how much of it."""


class _Formatter(string.Formatter):
    def convert_field(self, value: Any, conversion: str | None) -> Any:
        if not conversion:
            return value
        added, times = CONVERSIONS[conversion]
        return added + times * value


def ties() -> Mapping[str, list[dict[str, Any]]]:
    """The list: `figure`, `section` and `lines`."""
    return tomllib.loads(LIST.read_text("utf-8"))


def said(tie: Mapping[str, Any]) -> str:
    """A phrase with the values that its files have now: a space before per cent, a minus sign."""
    values = {name: content(REPOSITORY / path) for name, path in tie["files"].items()}
    phrase = one_line(_Formatter().format(tie["phrase"], **values))
    return re.sub(r"(?<=\d)%", " %", re.sub(r"(?<![\w-])-(?=\d)", "−", phrase))


def content(path: Path) -> Any:
    """A JSON file, or a model file's manifest and its size in `megabytes`.

    Elements of lists that have a label or a name are found by it.
    """
    if path.suffix == ".tflite":
        manifest = json.loads(json.dumps(read(path).manifest))
        return _named({**manifest, "megabytes": path.stat().st_size / 1e6})
    return _named(json.loads(path.read_text("utf-8")))


def _named(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _named(each) for key, each in value.items()}
    if not isinstance(value, list):
        return value
    for key in NAMES:
        names = [each.get(key) for each in value if isinstance(each, dict)]
        if value and len(set(names)) == len(value) and all(isinstance(n, str) for n in names):
            return {name: _named(each) for name, each in zip(names, value, strict=True)}
    return [_named(each) for each in value]


def one_line(text: str) -> str:
    """Text whose line breaks and runs of blanks are single blanks."""
    return " ".join(text.split())


def section(tie: Mapping[str, Any]) -> str:
    """What a page shows between `<!-- NAME -->` and `<!-- end of NAME -->`."""
    text = (REPOSITORY / tie["page"]).read_text("utf-8")
    _, begin, rest = text.partition(f"<!-- {tie['name']} -->\n")
    found, end, _ = rest.partition(f"<!-- end of {tie['name']} -->\n")
    assert begin, f"{tie['page']} has no section {tie['name']}"
    assert end, f"{tie['page']}: the section {tie['name']} has no end"
    return found.strip()


def strangers(tie: Mapping[str, Any]) -> Iterator[str]:
    """Lines of a page that begin as the tie says and do not stand in its file."""
    there = set((REPOSITORY / tie["file"]).read_text("utf-8").split("\n"))
    found = [
        line
        for line in (REPOSITORY / tie["page"]).read_text("utf-8").split("\n")
        if line.startswith(tuple(tie["begin"]))
    ]
    for begin in tie["begin"]:
        if not any(line.startswith(begin) for line in found):
            yield f"no line of {tie['page']} begins with {begin!r}"
    yield from (line for line in found if line not in there)
