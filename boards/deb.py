"""The Debian package: the application, and the box in the clinic as a service of systemd.

Where the kit makes a virtual environment on the board, the package brings one for each Python that
a system may have: dpkg owns and verifies every file, and nothing is downloaded or built there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from boards import downloads, wheels
from boards.errors import BoardsError
from boards.kit import KitTarget, glibc
from boards.wheels import REPOSITORY, TIME

ARCHITECTURES: Final = {"aarch64": "arm64", "armv7l": "armhf", "x86_64": "amd64"}
"""Debian's names of the machines."""

SERVICE: Final = Path(__file__).with_name("service")
"""Files of the package besides the application."""

HOME: Final = Path("usr/lib/edge-cxr")

PLACES: Final = {
    "edge-cxr": ("usr/bin/edge-cxr", 0o755),
    "edge-cxr.service": ("usr/lib/systemd/system/edge-cxr.service", 0o644),
    "box.toml": ("etc/edge-cxr/box.toml", 0o644),
    **{name: (f"DEBIAN/{name}", 0o755) for name in ("postinst", "prerm", "postrm")},
}
"""Where the files of `SERVICE` go, and their modes."""


def build(
    target: KitTarget,
    into: Path,
    cache: Path,
    pythons: Sequence[str] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Build `edge-cxr_VERSION_ARCHITECTURE.deb` in `into`.

    Args:
        target: what it is for.
        into: the folder.
        cache: where downloads are kept.
        pythons: only these versions; default all that the target has.
        say: gets a line before each step that takes long.

    Raises:
        BoardsError: wheels cannot be downloaded, or dpkg-deb is missing or fails.
    """
    if shutil.which("dpkg-deb") is None:
        raise BoardsError("dpkg-deb is missing: build the package on Debian or Ubuntu")
    with tempfile.TemporaryDirectory() as work:
        own = wheels.build(Path(work, "wheel"), say=say)
        root = Path(work, "root")
        needs = set()
        for number, python in enumerate(of := pythons or target.pythons, 1):
            machine = wheels.Target(target.machine, python)
            where = f"Python {python} ({number} of {len(of)})"
            say(f"{where}: fetching its wheels, unless {cache} has them …")
            chosen = [own, *downloads.wheels_for(own, machine, cache, target.extras)]
            needs |= {glibc(path.name) for path in chosen}
            say(f"{where}: unpacking {len(chosen)} packages …")
            _environment(chosen, machine, root)
        say("finding what they share …")
        _link_equal_files(root / HOME)
        _add_service(root)
        version = own.name.split("-")[1]
        _describe(root, version, target, of, max(needs))
        into.mkdir(parents=True, exist_ok=True)
        place = into / f"edge-cxr_{version}_{ARCHITECTURES[target.machine]}.deb"
        say(f"compressing {place.name}, which takes longest …")
        _pack(root, place)
    return place


def _environment(chosen: Sequence[Path], machine: wheels.Target, root: Path) -> None:
    """Make a virtual environment like `python3 -m venv`, with another machine's wheels."""
    home = root / HOME / f"python{machine.python}"
    library = home / "lib" / f"python{machine.python}" / "site-packages"
    library.mkdir(parents=True)
    wheels.install(chosen, machine, library)
    # Scripts begin with the path of this machine's Python.
    shutil.rmtree(library / "bin", ignore_errors=True)
    (home / "bin").mkdir()
    (home / "bin" / "python3").symlink_to(f"/usr/bin/python{machine.python}")
    (home / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")


def _link_equal_files(folder: Path) -> None:
    """Store equal files once: models and pure Python packages are the same for every Python."""
    seen: dict[bytes, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            first = seen.setdefault(hashlib.sha256(path.read_bytes()).digest(), path)
            if first is not path:
                path.unlink()
                path.hardlink_to(first)


def _add_service(root: Path) -> None:
    for name, (place, mode) in PLACES.items():
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SERVICE / name, path)
        path.chmod(mode)
    documents = root / "usr/share/doc/edge-cxr"
    documents.mkdir(parents=True)
    shutil.copyfile(REPOSITORY / "LICENSE", documents / "copyright")
    shutil.copyfile(REPOSITORY / "docs" / "serve.md", documents / "serve.md")


def _describe(
    root: Path, version: str, target: KitTarget, pythons: Iterable[str], minor: int
) -> None:
    """The control files."""
    size = sum(path.stat().st_size // 1024 + 1 for path in _files(root / "usr"))
    control = f"""\
Package: edge-cxr
Version: {version}
Architecture: {ARCHITECTURES[target.machine]}
Maintainer: the edge-cxr project
Installed-Size: {size}
Depends: {" | ".join(f"python{python}" for python in pythons)}, libc6 (>= 2.{minor}), adduser
Section: science
Priority: optional
Description: scores chest radiographs on small boards, offline
 The command edge-cxr, and a service that receives radiographs as a DICOM
 node or from a folder and sends structured reports into an archive.
 .
 Research software, not a medical device: a score is not a diagnosis.
"""
    (root / "DEBIAN" / "control").write_text(control)
    (root / "DEBIAN" / "conffiles").write_text("/etc/edge-cxr/box.toml\n")
    sums = (
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  "
        f"{path.relative_to(root)}\n"
        for path in _files(root / "usr")
    )
    (root / "DEBIAN" / "md5sums").write_text("".join(sums))


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]


def _pack(root: Path, place: Path) -> None:
    for path in [root, *root.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
        elif not path.is_symlink():
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    done = subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zxz", "-z1", "--build", str(root), str(place)],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(TIME)},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise BoardsError(f"dpkg-deb failed: {' '.join(done.stderr.split())[-300:]}")
