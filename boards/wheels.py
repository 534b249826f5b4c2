"""The device wheel, and the wheels it needs on another machine and Python than this one.

pip picks files for another platform, but decides by *this* one which requirements apply there. So
each wheel's requirements are read here, with the markers of the machine it is for, and pip only
fetches what it is told.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.parser import BytesParser
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from boards.errors import BoardsError, DownloadError

REPOSITORY: Final = Path(__file__).resolve().parent.parent
GLIBC: Final = range(17, 37)
"""Minor versions of glibc 2 that a wheel may ask for: up to Debian 12's."""

Requirements = dict[str, Requirement]
"""By canonical name."""


@dataclass(frozen=True)
class Target:
    """What wheels are for.

    Attributes:
        machine: as `uname -m`.
        python: `major.minor`.
        tflite: the older runtime where the newer would be taken.
    """

    machine: str
    python: str
    tflite: bool = False

    @property
    def marker_environment(self) -> dict[str, str]:
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
            "extra": "",
        }

    @property
    def pip_options(self) -> list[str]:
        tags = [f"manylinux_2_{minor}_{self.machine}" for minor in reversed(GLIBC)]
        tags.append(f"manylinux2014_{self.machine}")
        platforms = (option for tag in tags for option in ("--platform", tag))
        chosen = ["--implementation", "cp", "--python-version", self.python, *platforms]
        return ["--only-binary", ":all:", *chosen]


def build(into: Path) -> Path:
    """The device wheel of this checkout, built from a copy: a build leaves folders behind.

    Raises:
        BoardsError: it cannot be built.
    """
    source = into / "source"
    source.mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "edge_app", source / "edge_app", ignore=unwanted)
    done = _pip("wheel", "--no-deps", "--wheel-dir", str(into), str(source))
    shutil.rmtree(source)
    if done.returncode:
        raise BoardsError(f"the wheel cannot be built: {_reason(done.stderr)}")
    (wheel,) = into.glob("*.whl")
    return wheel


def gather(
    wheel: Path, target: Target, into: Path, beside: Sequence[Path] = ()
) -> list[Path]:
    """All that `wheel` needs on `target`, downloaded into the empty folder `into`.

    Args:
        wheel: the device wheel.
        target: what it is to run on.
        into: where to.
        beside: folders with wheels that no index has.

    Raises:
        DownloadError: no wheel of something exists for the target, or two of them disagree.
    """
    into.mkdir(parents=True, exist_ok=True)
    have: dict[str, Path] = {}
    wanted = _for_runtime(requirements([wheel], target), target)
    while wanted:
        done = _pip(
            "download",
            "--no-deps",
            "--dest",
            str(into),
            *(option for folder in beside for option in ("--find-links", str(folder))),
            *target.pip_options,
            *(f"{each.name}{each.specifier}" for each in wanted.values()),
        )
        if done.returncode:
            where = f"Python {target.python} on {target.machine}"
            raise DownloadError(f"no wheels for {where}: {_reason(done.stderr)}")
        have = {parse_wheel_filename(path.name)[0]: path for path in into.glob("*.whl")}
        needed = requirements(have.values(), target)
        for name, requirement in needed.items():
            if name in have:
                version = parse_wheel_filename(have[name].name)[1]
                if not requirement.specifier.contains(version, prereleases=True):
                    raise DownloadError(f"{name} {version} was taken, but {requirement} is needed")
        wanted = {name: needed[name] for name in needed.keys() - have.keys()}
    return sorted(have.values())


def requirements(wheels: Iterable[Path], target: Target) -> Requirements:
    """What these wheels ask for on `target`, several demands on one project joined."""
    joined: Requirements = {}
    for wheel in wheels:
        for text in _requires(wheel):
            requirement = Requirement(text)
            marker, name = requirement.marker, canonicalize_name(requirement.name)
            if marker is not None and not marker.evaluate(target.marker_environment):
                continue
            if name in joined:
                requirement.specifier &= joined[name].specifier
            joined[name] = requirement
    return joined


def _for_runtime(wanted: Requirements, target: Target) -> Requirements:
    if not target.tflite or "tflite-runtime" in wanted:
        return wanted
    # The older runtime was built for numpy 1.
    older = {name: Requirement(f"{name}{spec}") for name, spec in
             (("tflite-runtime", ">=2.14"), ("numpy", ">=1.23.2,<2"))}
    return {name: each for name, each in wanted.items() if name != "ai-edge-litert"} | older


def _requires(wheel: Path) -> Sequence[str]:
    name, version = wheel.name.split("-")[:2]
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"{name}-{version}.dist-info/METADATA")
    return BytesParser().parsebytes(metadata).get_all("Requires-Dist") or ()


def install(wheels: Sequence[Path], target: Target, into: Path) -> None:
    """Unpack wheels of another machine into a folder that becomes its PYTHONPATH.

    Raises:
        BoardsError: pip refuses one.
    """
    done = _pip(
        "install", "--no-index", "--no-deps", "--no-compile", "--ignore-requires-python", "--target",
        str(into),
        *target.pip_options, *map(str, wheels),
    )  # fmt: skip
    if done.returncode:
        raise BoardsError(f"the wheels cannot be installed: {_reason(done.stderr)}")


def _pip(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", command, *arguments]
    return subprocess.run(line, capture_output=True, text=True, errors="replace")


def _reason(said: str) -> str:
    errors = [line for line in said.splitlines() if line.startswith("ERROR:")]
    return " ".join(" ".join(errors or said.splitlines()[-3:]).split())[:400]
