"""Numbers of README and the manual that nothing ties to a file: what a writer looks through.

    python -m tools.manual.untied [PAGE...]       # default: how many each page has

A number with a decimal point or a unit counts, where it stands in no block that a command printed,
in no phrase, section or line of `docs/figures.toml`. Many need no tie: limits, which the code has,
and what was read off once, which the page says.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.manual import figures, printed

UNIT: Final = r"(?:%|[kMG]B|[KMG]iB|ms|s|seconds|minutes|hours)"
NUMBER: Final = re.compile(
    rf"(?<![\w.,/#-])[−+]?\d[\d,]*(?:(?:\.\d+)?\s?{UNIT}(?!\w)|\.\d+(?![\w.]))"
)


def untied(page: Path) -> Iterator[tuple[str, list[str]]]:
    """The lines of a page that have such numbers, and these."""
    name = page.relative_to(printed.REPOSITORY).as_posix()
    ties, text = figures.ties(), page.read_text("utf-8")
    parts: list[str | re.Pattern[str]] = [printed.BLOCK]
    parts += [re.escape(figures.section(tie)) for tie in ties["section"] if tie["page"] == name]
    for tie in ties["figure"]:
        if name in tie["pages"]:
            parts.append(r"\s+".join(map(re.escape, figures.said(tie).split())))
    spans = [found.span() for part in parts for found in re.finditer(part, text)]
    for begin, end in spans:
        text = text[:begin] + re.sub(r"[^\n]", " ", text[begin:end]) + text[end:]
    begins = tuple(begin for tie in ties["lines"] if tie["page"] == name for begin in tie["begin"])
    for line in text.split("\n"):
        found = NUMBER.findall(line)
        if found and not line.startswith(begins):
            yield line, found


def main(names: list[str]) -> None:
    """Print the lines of these pages, or the number of such numbers on each page."""
    for page in [Path(name).resolve() for name in names] or printed.pages():
        found = list(untied(page))
        count = sum(len(numbers) for _, numbers in found)
        print(f"{count:4} {page.relative_to(printed.REPOSITORY)}")
        for line, numbers in found if names else ():
            print(f"     {', '.join(numbers)}: {line.strip()[:100]}")


if __name__ == "__main__":
    main(sys.argv[1:])
