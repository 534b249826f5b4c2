"""Downloading Debian packages of another architecture or release, without changing this system."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from boards.errors import DownloadError, EmulationUnavailableError

KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def download(suite: str, architecture: str, packages: Sequence[str], work: Path) -> list[Path]:
    """The `.deb` files of `packages` and all they depend on, in `work`.

    Raises:
        EmulationUnavailableError: there is no apt, or it knows no Debian mirror.
        DownloadError: apt cannot fetch them.
    """
    sources, parts, status = work / "sources.list", work / "parts", work / "status"
    for folder in (parts, work / "lists" / "partial", work / "cache" / "archives" / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    sources.write_text(f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n")
    status.touch()
    options = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "root",
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": parts,
        "Dir::State::Lists": work / "lists",
        "Dir::State::status": status,
        "Dir::Cache": work / "cache",
        # Containers are often set up to delete downloads at once.
        "Binary::apt-get::APT::Keep-Downloaded-Packages": "true",
        "APT::Update::Post-Invoke::": "",
        "DPkg::Post-Invoke::": "",
    }
    apt = ["apt-get", "-q", "-y", *(f"-o{name}={value}" for name, value in options.items())]
    _run([*apt, "update"])
    _run([*apt, "--no-install-recommends", "--download-only", "install", *packages])
    found = sorted((work / "cache" / "archives").glob("*.deb"))
    if not found:
        raise DownloadError(f"apt-get fetched no package of {suite} {architecture}")
    return found


def unpack(packages: Sequence[Path], root: Path) -> None:
    """The files of packages, into `root`; nothing in them is run."""
    for folder in ("bin", "lib", "sbin"):  # merged, as Debian is from 12 on
        (root / "usr" / folder).mkdir(parents=True)
        (root / folder).symlink_to(f"usr/{folder}")
    for package in packages:
        # dpkg-deb -x would put folders in the place of the links.
        files = subprocess.run(
            ["dpkg-deb", "--fsys-tarfile", package], check=True, stdout=subprocess.PIPE
        ).stdout
        extract = ["tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", str(root)]
        subprocess.run(extract, input=files, check=True)


def mirror() -> str:
    """The Debian mirror that this machine's own apt uses.

    Raises:
        EmulationUnavailableError: it uses none.
    """
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise EmulationUnavailableError("apt-get and dpkg-deb are needed to fetch a board's system")
    filters = ["Created-By: Packages", "Origin: Debian", "Label: Debian", "Component: main"]
    line = ["apt-get", "indextargets", "--format", "$(REPO_URI)", *filters]
    known = subprocess.run(line, capture_output=True, text=True).stdout.split()
    if not known or not KEYRING.exists():
        raise EmulationUnavailableError(
            "apt has no Debian mirror among its sources, or its keyring is missing: a board's "
            "system is made of Debian's packages"
        )
    return known[0]


def install(package: str) -> None:
    """Install a package on this system.

    Raises:
        EmulationUnavailableError: not root, or no apt.
        DownloadError: apt cannot do it.
    """
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise EmulationUnavailableError(
            f"{package} is not installed, and installing it needs apt and root: "
            f"sudo apt-get install {package}"
        )
    _run(["apt-get", "-q", "update"])
    waiting = "-oDPkg::Lock::Timeout=120"  # another program may be installing something
    _run(["apt-get", "-q", "-y", waiting, "--no-install-recommends", "install", package])


def _run(line: Sequence[str]) -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    done = subprocess.run(
        line, env=quiet, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        said = [text for text in done.stderr.splitlines() if text.startswith("E:")]
        verb = "update" if "update" in line else "install"
        reason = "; ".join(said)[:400] or f"exit code {done.returncode}"
        raise DownloadError(f"apt-get {verb} failed: {reason}")
