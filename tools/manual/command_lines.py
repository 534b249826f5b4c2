"""Checking the command lines in pages against the real options, without running them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any, Final

from tools.manual.commands import PROGRAMS, application
from tools.manual.standins import stand_ins

INSTALLED: Final = {
    "edge-cxr-train": "python -m train",
    "edge-cxr-quantize": "python -m quantize",
}
"""The workstation's installed commands → the modules that they run."""

COMMAND: Final = re.compile(
    r"(?:^|[|&;]\s+)(?:sudo\s+)?(?:\w+=\S+\s+)*(?:[\w.~/-]+/)?"
    r"(edge-cxr(?:-train|-quantize)?|python3? -m [\w.]+)(?=\s|$)(.*)"
)
"""A command at the beginning of a line or after a pipe, perhaps with sudo, variables or a path."""

BLOCK: Final = re.compile(r"^ *```(\w*)")
INLINE: Final = re.compile(r"`([^`]+)`")
SHELL: Final = ("", "sh")
"""Languages of the blocks in which commands stand."""

END: Final = ("|", ">", "<", "&&", ";", "&")
OURS: Final = ("tests.", "tools.")


@cache
def applications() -> Mapping[str, Any]:
    """Each of the `PROGRAMS`, without the workstation's packages."""
    with stand_ins():
        return {program: application(program) for program in PROGRAMS}


def shown(page: str) -> Iterator[tuple[str, bool]]:
    """The command lines of a page, and whether each is complete: prose names parts of one.

    In a block with a prompt, `$`, lines without one are output.
    """
    block: list[str] | None = None
    language = ""
    for line in page.split("\n"):
        fence = BLOCK.match(line)
        if fence and block is None:
            block, language = [], fence[1]
        elif fence and block is not None:
            yield from ((each, True) for each in _entered(block) if language in SHELL)
            block = None
        elif block is not None:
            block.append(line.strip())
        else:
            yield from ((each, False) for each in INLINE.findall(line) if COMMAND.match(each))


def _entered(block: list[str]) -> Iterator[str]:
    """The lines that a reader enters; those that end with a backslash are joined with the next."""
    lines = "\n".join(block).replace("\\\n", " ").split("\n")
    prompted = [line[2:] for line in lines if line.startswith("$ ")]
    for line in prompted or lines:
        if COMMAND.search(line):
            yield line


def fault(line: str, whole: bool) -> str | None:
    """What is wrong with a command line: an unknown command, option or value; None if nothing."""
    found = COMMAND.search(line)
    if found is None:
        return None
    program = INSTALLED.get(found[1], found[1].replace("python3", "python"))
    if program.removeprefix("python -m ").startswith(OURS):
        return None if find_spec(program.split()[-1]) else f"no module {program}"
    if program not in PROGRAMS:
        return None
    command, words = applications()[program], _words(found[2])
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return f"no command {words[0]}"
        command = command.commands[words.pop(0)]
    if not whole:
        there = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
        absent = [each for each in words if each.startswith("--") and _option(each) not in there]
        return f"no option {absent[0]}" if absent and _option(absent[0]) != "--help" else None
    try:
        command.make_context(program, words)
    except Exception as error:  # click's, which typer exports under another name
        return str(getattr(error, "message", error)) or type(error).__name__
    return None


def _option(word: str) -> str:
    return word.partition("=")[0]


def _words(rest: str) -> list[str]:
    """The words up to a comment or a pipe, optional ones without their brackets."""
    words = []
    for word in shlex.split(rest, comments=True):
        if word.startswith(END):
            break
        word = word.removesuffix("...").removesuffix("…")
        bare = word.strip("[]") if "[" in word or "]" in word else word
        words += [bare] if bare else []
    return words
