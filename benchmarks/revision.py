"""Installing an earlier commit, and building wheels of it and of this checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from benchmarks.environments import PLACE, REPOSITORY, PeerError

PACKAGE = "edge_app"
ITSELF = "the wheel itself"

PACKED = ("pyproject.toml", "README.md", "LICENSE", PACKAGE)
"""The parts of a checkout that a wheel is made from."""


def commit(revision: str) -> str:
    """The full name of a commit.

    Raises:
        PeerError: there is none.
    """
    return _git("rev-parse", "--verify", f"{revision}^{{commit}}").decode().strip()


def installed(revision: str, say: Callable[[str], None]) -> Path:
    """An environment with an earlier commit, kept next to the peers'.

    Raises:
        PeerError: there is no such commit, or it cannot be installed.
    """
    place = PLACE / f"at-{commit(revision)[:12]}"
    if (place / "made").is_file():
        return place
    say(f"making {place}")
    shutil.rmtree(place, ignore_errors=True)
    with TemporaryDirectory(prefix="edge-cxr-") as folder:
        _extract(revision, Path(folder))
        _call([sys.executable, "-m", "venv", str(place)], revision)
        pip = [str(place / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        _call([*pip, "install", "-q", folder], revision)
    (place / "made").touch()
    return place


def wheel_parts(revision: str | None) -> dict[str, int]:
    """Compressed bytes of a wheel by folder of the package, without its models, largest first.

    The last entry is the rest of the wheel: names, digests, licence.

    Args:
        revision: a commit; None for this checkout.

    Raises:
        PeerError: it cannot be made.
    """
    with TemporaryDirectory(prefix="edge-cxr-") as folder:
        source, target = Path(folder, "source"), Path(folder, "wheel")
        source.mkdir()
        if revision is None:
            _copy(source)
        else:
            _extract(revision, source)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-q"]
        _call([*pip, "--no-deps", "-w", str(target), str(source)], revision or "this checkout")
        (wheel,) = target.glob("*.whl")
        return parts_of(wheel)


def parts_of(wheel: Path) -> dict[str, int]:
    """`wheel_parts` of an existing wheel."""
    with zipfile.ZipFile(wheel) as archive:
        members = archive.infolist()
    parts: Counter[str] = Counter()
    rest = wheel.stat().st_size
    for member in members:
        package, *folders = PurePosixPath(member.filename).parent.parts
        if member.filename.endswith(".tflite"):
            rest -= member.compress_size
        elif package == PACKAGE:
            parts["/".join([package, *folders[:1]])] += member.compress_size
    return {**dict(parts.most_common()), ITSELF: rest - parts.total()}


def _copy(target: Path) -> None:
    for name in PACKED:
        if (REPOSITORY / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPOSITORY / name, target / name, ignore=ignored)
        else:
            shutil.copy(REPOSITORY / name, target)


def _extract(revision: str, target: Path) -> None:
    with tarfile.open(fileobj=BytesIO(_git("archive", commit(revision)))) as archive:
        archive.extractall(target, filter="data")


def _call(line: list[str], revision: str) -> None:
    done = subprocess.run(line, capture_output=True, text=True)
    if done.returncode:
        raise PeerError(f"{revision}: cannot be installed: {done.stderr.strip()[-300:]}")


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", "-C", str(REPOSITORY), *arguments], capture_output=True)
    if done.returncode:
        raise PeerError(f"git {arguments[0]}: {done.stderr.decode().strip()[-300:]}")
    return done.stdout
