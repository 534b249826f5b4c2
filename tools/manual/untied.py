"""Numbers in README and the manual that are not tied to a file, for a writer to check.

    python -m tools.manual.untied [PAGE...]       # default: how many each page has

A number counts if it has a decimal point, a unit or three digits, or two digits and one of `NOUNS`
after it, outside of printed output and of the phrases, sections and lines in `docs/figures.toml`.
Code, commands and options do not count, nor numbers that are not measured (`NAMED`):

- The number of a chapter or a version.
- A date; and a year, which is 1900 to 2029 after `in`, `since`, a month, a name and a comma, or
  between a name and a closing bracket, without `of` or one of `NOUNS` after it.
- The size of a picture, W×H in digits, and an angle.
- A port, after this word or this machine's address, and a time, whose digits follow a colon.
- Names of parts of a standard or a project: a code, a tag, a status, a mode, an issue.
- The 95 of a 95 % interval.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.manual import figures, printed
from tools.manual.command_lines import COMMAND

UNIT: Final = r"(?:%|[kMG]B|[KMG]iB|ms|s|seconds|minutes|hours)"
NOUNS: Final = (
    r"(?:images|radiographs|pictures|patients|boxes|findings|labels|files|rows|models|networks"
    r"|runs|steps|epochs|passes|kills|times|ways|forms|operations|packages|names|characters|sites"
    r"|peers|processors|cores|resamples)"
)
"""Nouns for counted things, also with one word before them."""

NOUN: Final = rf"(?:\s[\w-]+)?\s{NOUNS}\b"
YEAR: Final = rf"(?:19\d\d|20[0-2]\d)\b(?!,\d|\sof\b|{NOUN})"
MONTHS: Final = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
)

NUMBER: Final = re.compile(
    r"(?<![\w.,:/#-])[−+]?(?:"
    rf"\d[\d,]*(?:(?:\.\d+)?\s?{UNIT}(?!\w)|\.\d+(?:x\b|(?!\w|\.\w)))"
    rf"|[1-9](?:[\d,]*\d\d|\d(?={NOUN}))(?!\w|[.,]\d))"
)

FENCED: Final = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
LINE: Final = re.compile(r"^.*?(?<!\\)$", re.DOTALL | re.MULTILINE)
ENTERED: Final = re.compile(r"`(?:--|python -m |edge-cxr )[^`]*`")
NAMED: Final = re.compile(
    r"^#+ [\d.]+|(?:Python|TLS|TIFF|Linux|glibc|Pillow|torch|onnx2tf|ONNX Runtime|litert-torch"
    r"|PS3\.\d+|edition,)\s\d[\d.]*(?:(?:,| to| and)\s\d\.\d+)*"
    rf"|\b(?:[Ii]n|[Ss]ince|{MONTHS}|[A-Z][\w-]+,|al\.,)\s{YEAR}|\b[A-Z][\w-]+\s{YEAR}(?=\))"
    r"|\b\d{4}-\d\d-\d\d|\bJPEG\s2000\b|\b\d+×\d+|\b\d+°"
    r"|(?:[Pp]orts?(?:\" :)?|127\.0\.0\.1(?:`,)?)\s\d+"
    r"|(?:RFC|PEP|ISO/IEC|ISO_IR|TID|HTTP|tag|mode|issue|request)\s\d+|\b\d+,\s(?:DCM|SCT)\b"
    r"|95\s%\s(?=interval)",
    re.MULTILINE,
)
PLACE: Final = re.compile(r"\{[^}]*\}")


def untied(page: Path) -> Iterator[tuple[str, list[str]]]:
    """The lines of a page with untied numbers, and the numbers."""
    name = page.relative_to(printed.REPOSITORY).as_posix()
    ties, text = figures.ties(), page.read_text("utf-8")
    parts: list[str | re.Pattern[str]] = [printed.BLOCK]
    parts += [re.escape(figures.section(tie)) for tie in ties["section"] if tie["page"] == name]
    phrases = [figures.said(tie) for tie in ties["figure"] if name in tie["pages"]]
    phrases += [tie["phrase"] for tie in ties.get("fact", ()) if name in tie["pages"]]
    parts += map(figures.whole, phrases)
    spans = [found.span() for part in parts for found in re.finditer(part, text)]
    spans += [found.span() for each in (ENTERED, NAMED) for found in each.finditer(text)]
    spans += _entered(text)
    for begin, end in spans:
        text = text[:begin] + re.sub(r"[^\n]", " ", text[begin:end]) + text[end:]
    begins = tuple(begin for tie in ties["lines"] if tie["page"] == name for begin in tie["begin"])
    numbers: dict[int, list[str]] = {}
    for found in NUMBER.finditer(text):  # in the whole text: a unit may be on the next line
        at = text.count("\n", 0, found.start())
        numbers.setdefault(at, []).append(figures.one_line(found[0]))
    lines = text.split("\n")
    yield from (
        (lines[at], found) for at, found in numbers.items() if not lines[at].startswith(begins)
    )


def own(phrase: str) -> list[str]:
    """The numbers that a phrase of a `[[figure]]` states itself, not from a file."""
    text = PLACE.sub("x", phrase)
    for each in (ENTERED, NAMED):
        text = each.sub(" ", text)
    return NUMBER.findall(text)


def _entered(text: str) -> Iterator[tuple[int, int]]:
    """The spans of code blocks in a language, and of commands with their continued lines."""
    for block in FENCED.finditer(text):
        if block[1] not in ("", "text"):
            yield block.span()
            continue
        for line in LINE.finditer(text, *block.span(2)):
            if COMMAND.search(line[0].removeprefix("$ ")):
                yield line.span()


def main(names: list[str]) -> None:
    """Print the lines of the named pages, or how many untied numbers each page has."""
    for page in [Path(name).resolve() for name in names] or printed.pages():
        found = list(untied(page))
        count = sum(len(numbers) for _, numbers in found)
        print(f"{count:4} {page.relative_to(printed.REPOSITORY)}")
        for line, numbers in found if names else ():
            print(f"     {', '.join(numbers)}: {line.strip()[:100]}")


if __name__ == "__main__":
    main(sys.argv[1:])
