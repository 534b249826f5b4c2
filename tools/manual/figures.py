"""The figures of README and the manual, each tied to the file that a command wrote.

`docs/figures.toml` is the list of ties. A `[[figure]]` is a phrase of some pages with fields for
values, as in `str.format`, and the files that the values come from (`sources`). After `!` follows
one of `CONVERSIONS`, `EXTREMES`, or `COUNTED`. The key `*` means every element, and several keys
may follow it, separated by `, `: `{s[sites][*][ppv, npv]!<}` is the least of all these values. A
`[[section]]` is a page's text between two markers, and `[[lines]]` are lines of a page: both are
copied from a file. A `[[fact]]` is a phrase with other people's numbers, and their `source`, which
the page names.
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
"""(addend, factor) of a value: c complement of a share; p per cent of it, q of its complement, z of
its excess over 1; t thousandths; k thousands; m MB, K KiB and b MiB of bytes."""


COUNTED: Final = "n"
"""The conversion of a list to its length."""

EXTREMES: Final = {"<": min, ">": max}
"""Conversions of a list to its least and to its greatest element."""

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
    """The values under some keys in every element of a mapping or a list."""
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
    """The list of ties: `figure`, `section`, `lines` and `fact`."""
    return tomllib.loads(LIST.read_text("utf-8"))


def said(tie: Mapping[str, Any]) -> str:
    """A phrase with the current values of its files, a space before %, and true minus signs."""
    values = {name: content(REPOSITORY / path) for name, path in tie["files"].items()}
    phrase = one_line(_Formatter().format(tie["phrase"], **values))
    return re.sub(r"(?<=\d)%", " %", re.sub(r"(?<![\w-])-(?=\d)", "−", phrase))


def whole(phrase: str) -> re.Pattern[str]:
    """A pattern for a phrase with any line breaks that does not end within a longer number."""
    words = r"\s+".join(map(re.escape, phrase.split()))
    return re.compile(rf"(?<![\w−+])(?<!\d[.,]){words}(?!\w|[.,]\d)")


def one_line(text: str) -> str:
    """Text with single blanks in place of line breaks and runs of blanks."""
    return " ".join(text.split())


def section(tie: Mapping[str, Any]) -> str:
    """A page's text between `<!-- NAME -->` and `<!-- end of NAME -->`."""
    text = (REPOSITORY / tie["page"]).read_text("utf-8")
    _, begin, rest = text.partition(f"<!-- {tie['name']} -->\n")
    found, end, _ = rest.partition(f"<!-- end of {tie['name']} -->\n")
    assert begin, f"{tie['page']} has no section {tie['name']}"
    assert end, f"{tie['page']}: the section {tie['name']} has no end"
    return found.strip()


def strangers(tie: Mapping[str, Any]) -> Iterator[str]:
    """Lines of a page that begin as the tie says and are not in its file."""
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
