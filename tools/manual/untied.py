"""Numbers of README and the manual that nothing ties to a file: what a writer looks through.

    python -m tools.manual.untied [PAGE...]       # default: how many each page has

A number counts that has a decimal point, a unit or three digits, or two and one of `NOUNS` behind
it, where it stands in no block that a command printed, in no phrase, section or line of
`docs/figures.toml`. What is entered does not count, which is code, a command or an option, nor what
is no measured number (`NAMED`):

- The number of a chapter or a version.
- A year, which is 1900 to 2029 behind `in` or `since`, a month, a name and a comma, or a name and
  before a closing bracket, and has neither `of` nor one of `NOUNS` behind it; and a date.
- The size of a picture, W×H in digits alone, and an angle.
- A port, behind this word or this machine's address, and a time, whose digits follow a colon.
- What a standard or a project calls its parts by: a code, a tag, a status, a mode, an issue.
- A 95 % interval's.
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
"""What is counted, also with one word before it."""

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
    """The lines of a page that have such numbers, and these."""
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
    for found in NUMBER.finditer(text):  # a unit may stand on the next line
        at = text.count("\n", 0, found.start())
        numbers.setdefault(at, []).append(figures.one_line(found[0]))
    lines = text.split("\n")
    yield from (
        (lines[at], those) for at, those in numbers.items() if not lines[at].startswith(begins)
    )


def own(phrase: str) -> list[str]:
    """The numbers that a phrase of a `[[figure]]` states itself, which come from no file."""
    text = PLACE.sub("x", phrase)
    for each in (ENTERED, NAMED):
        text = each.sub(" ", text)
    return NUMBER.findall(text)


def _entered(text: str) -> Iterator[tuple[int, int]]:
    """Where blocks have code in a language, or a command with the lines that it goes on in."""
    for block in FENCED.finditer(text):
        if block[1] not in ("", "text"):
            yield block.span()
            continue
        for line in LINE.finditer(text, *block.span(2)):
            if COMMAND.search(line[0].removeprefix("$ ")):
                yield line.span()


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
