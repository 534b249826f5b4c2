"""What commands printed, kept in files and shown in the manual as it was printed.

    python -m tools.manual.printed [NAME...]     run these commands, keep and show what they print
    python -m tools.manual.printed --show        show what is kept, after a page was edited

`docs/printed.toml` names the commands. What one prints is kept in `reports/printed/NAME.txt`, and
stands on the pages in the block of code below `<!-- printed: NAME -->`.
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
"""No site file of whoever runs this decides."""


def listed() -> Mapping[str, str]:
    """The commands by name, lines for a shell in the repository's root."""
    return {name: each["command"] for name, each in tomllib.loads(LIST.read_text("utf-8")).items()}


def quick() -> list[str]:
    """The names of commands that take a second or two and print the same everywhere."""
    return [
        name for name, each in tomllib.loads(LIST.read_text("utf-8")).items() if "quick" in each
    ]


def pages() -> list[Path]:
    """Every page that may show what was printed."""
    return [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


def shown(page: Path) -> list[tuple[str, str]]:
    """The blocks of a page: which command's, and what stands there."""
    return [(name, text) for _, name, text, _ in BLOCK.findall(page.read_text("utf-8"))]


def kept(name: str) -> str:
    """What a command printed the last time."""
    return (KEPT / f"{name}.txt").read_text("utf-8")


def show() -> None:
    """Write what is kept into the pages."""
    for page in pages():
        before = page.read_text("utf-8")
        after = BLOCK.sub(lambda found: found[1] + kept(found[2]) + found[4], before)
        if after != before:
            page.write_text(after, "utf-8")


def run(name: str, console: Console) -> int:
    """Run a command, its lines on the terminal as they come, and keep them.

    What it printed before is kept where it prints nothing or breaks off, which is an exit code
    other than 0 and 1. `python` is the one that runs this, `edge-cxr` this checkout's, `$folder`
    an empty folder that goes away.

    Returns:
        The exit code of the command: 1 where a number that it holds to is not met.
    """
    console.print(f"[bold]{name}[/]: {listed()[name]}", highlight=False, soft_wrap=True)
    # No folder is put into PATH: pynetdicom's programs have the names of dcmtk's.
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
