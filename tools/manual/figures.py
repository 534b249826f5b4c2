"""The figures of README and the manual, each tied to the file that a command wrote.

`docs/figures.toml` is the list of ties. A `[[figure]]` is a phrase of some pages with places for
values in it, as `str.format` knows them, and the files that the values come from (`sources`); what
stands behind `!` is one of `CONVERSIONS`, `EXTREMES`, or `COUNTED`. The key `*` is every element,
keys behind it may be several, `, ` between them: `{s[sites][*][ppv, npv]!<}` is the least of all of
these. A `[[section]]` is what a page shows between two markers, `[[lines]]` are lines of a page:
both stand in a file as they are. A `[[fact]]` is a phrase whose numbers others found, and the
`source`, which the page names.
"""

from __future__ import annotations

import re
import string
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tools.manual.sources import content

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY: Final = Path(__file__).resolve().parents[2]
LIST: Final = REPOSITORY / "docs" / "figures.toml"

CONVERSIONS: Final = {
    "c": (1, -1),
    "p": (0, 100),
    "q": (100, -100),
    "z": (-100, 100),
    "t": (0, 1000),
    "k": (0, 1e-3),
    "m": (0, 1e-6),
    "K": (0, 2**-10),
    "b": (0, 2**-20),
}
"""What is added to how much of a value: of a share its complement, hundredths of it, of its
complement and of what it is above 1; thousandths, thousands; of bytes MB, KiB, MiB."""


COUNTED: Final = "n"
"""The conversion of a list to how many it has."""

EXTREMES: Final = {"<": min, ">": max}
"""Conversions of a list to the least, and to the greatest, that it has."""

EVERY: Final = "[*]"


class _Formatter(string.Formatter):
    def get_field(
        self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        name, every, keys = field_name.partition(EVERY)
        found, used = super().get_field(name, args, kwargs)
        return (_each(found, keys) if every else found), used

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        if not conversion:
            return value
        if conversion == COUNTED:
            return len(value)
        if conversion in EXTREMES:
            return EXTREMES[conversion](value)
        added, times = CONVERSIONS[conversion]
        return added + times * value


def _each(among: Any, keys: str) -> list[Any]:
    """What the keys name in every element of a mapping or a list."""
    found = _elements(among)
    for key in re.findall(r"\[(.*?)\]", keys):
        if f"[{key}]" == EVERY:
            found = [inner for each in found for inner in _elements(each)]
        else:
            found = [each[name] for each in found for name in key.split(", ")]
    return found


def _elements(among: Any) -> list[Any]:
    return list(among.values() if isinstance(among, Mapping) else among)


def ties() -> Mapping[str, list[dict[str, Any]]]:
    """The list: `figure`, `section`, `lines` and `fact`."""
    return tomllib.loads(LIST.read_text("utf-8"))


def said(tie: Mapping[str, Any]) -> str:
    """A phrase with the values that its files have now: a space before per cent, a minus sign."""
    values = {name: content(REPOSITORY / path) for name, path in tie["files"].items()}
    phrase = one_line(_Formatter().format(tie["phrase"], **values))
    return re.sub(r"(?<=\d)%", " %", re.sub(r"(?<![\w-])-(?=\d)", "−", phrase))


def whole(phrase: str) -> re.Pattern[str]:
    """A phrase in a text, whatever its line breaks, neither end of it within a longer number."""
    words = r"\s+".join(map(re.escape, phrase.split()))
    return re.compile(rf"(?<![\w−+])(?<!\d[.,]){words}(?!\w|[.,]\d)")


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
