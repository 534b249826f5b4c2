"""The output of commands, kept in files and shown in the manual.

    python -m tools.manual.printed [NAME...]     run these commands, keep and show their output
    python -m tools.manual.printed --show        show the kept output, after a page was edited

`docs/printed.toml` names the commands. Output is kept in `reports/printed/NAME.txt`, and shown on
the pages in the code block below `<!-- printed: NAME -->`.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY: Final = Path(__file__).resolve().parents[2]
LIST: Final = REPOSITORY / "docs" / "printed.toml"
KEPT: Final = REPOSITORY / "reports" / "printed"
BLOCK: Final = re.compile(r"(<!-- printed: (\S+) -->\n+```(?:text)?\n)(.*?)(```\n)", re.DOTALL)

EDGE_CXR: Final = 'edge-cxr() { python -m edge_app "$@"; }'
WITHOUT: Final = {"EDGE_CXR_SITE": "none"}
"""Settings that keep the local site file from deciding."""


def listed() -> Mapping[str, str]:
    """The commands by name, lines for a shell in the repository's root."""
    return {name: each["command"] for name, each in tomllib.loads(LIST.read_text("utf-8")).items()}


def quick() -> list[str]:
    """The names of commands that take a second or two and print the same on every machine."""
    return [
        name for name, each in tomllib.loads(LIST.read_text("utf-8")).items() if "quick" in each
    ]


def pages() -> list[Path]:
    """Every page that may show output."""
    return [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


def shown(page: Path) -> list[tuple[str, str]]:
    """The blocks of a page: the command's name, and the text."""
    return [(name, text) for _, name, text, _ in BLOCK.findall(page.read_text("utf-8"))]


def kept(name: str) -> str:
    """A command's kept output."""
    return (KEPT / f"{name}.txt").read_text("utf-8")


def show() -> None:
    """Write the kept output into the pages."""
    for page in pages():
        before = page.read_text("utf-8")
        after = BLOCK.sub(lambda found: found[1] + kept(found[2]) + found[4], before)
        if after != before:
            page.write_text(after, "utf-8")


def run(name: str, console: Console) -> int:
    """Run a command, print its lines as they come, and keep them.

    The earlier output stays if the command prints nothing, or fails with an exit code other than 0
    and 1. `python` is the interpreter that runs this, `edge-cxr` this checkout's, `$folder` an
    empty temporary folder.

    Returns:
        The exit code of the command: 1 if a target that it checks is missed.
    """
    console.print(f"[bold]{name}[/]: {listed()[name]}", highlight=False, soft_wrap=True)
    # Not by a folder in PATH, because pynetdicom's programs have the names of dcmtk's.
    names = f'python() {{ {shlex.quote(sys.executable)} "$@"; }}\n{EDGE_CXR}'
    lines = []
    with (
        TemporaryDirectory() as folder,
        subprocess.Popen(
            ["bash", "-o", "pipefail", "-c", f"{names}\n{listed()[name]}"],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "folder": folder} | WITHOUT,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip() + "\n")
            console.print(lines[-1], end="", highlight=False, markup=False, soft_wrap=True)
    if process.returncode in (0, 1) and any(line.strip() for line in lines):
        KEPT.mkdir(parents=True, exist_ok=True)
        (KEPT / f"{name}.txt").write_text("".join(lines), "utf-8")
    return process.returncode


def main(arguments: list[str]) -> int:
    """The command line; exit code 1 where a command ended with another than 0."""
    parser = argparse.ArgumentParser(description="Run commands and keep what they print.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="of docs/printed.toml; default: all"
    )
    parser.add_argument("--show", action="store_true", help="only renew the pages")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.names if name not in listed()]
    if unknown:
        parser.error(f"no command {', '.join(unknown)}: there are {', '.join(listed())}")
    console = Console()
    names = [] if chosen.show else chosen.names or list(listed())
    codes = [run(name, console) for name in names]
    show()
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
