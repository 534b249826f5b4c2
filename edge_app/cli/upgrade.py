"""`edge-cxr upgrade`: the next version from its kit, judged by this one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def upgrade(
    kit: Annotated[Path, typer.Argument(metavar="FOLDER", help="The unpacked kit.")],
    check: Annotated[bool, typer.Option("--check", help="Only say whether it is good.")] = False,
) -> None:
    """Check a kit's signature and files with what is installed here, and then install it."""
    from edge_app.inspection import kits

    if check:
        print(f"{kit}: {kits.checked(kit, kits.installation()).origin.words}")
        return
    raise typer.Exit(kits.upgrade(kit))
