"""The device wheel, and the wheels it needs on another machine and Python than this one.

pip can download for another platform, but evaluates requirements for *this* one. So the
requirements of each wheel are evaluated here, with the markers of the target, and pip only
downloads.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from email.parser import BytesParser
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from boards.errors import BoardsError, DownloadError
from edge_app.core.errors import UsageError
from edge_app.model.model_file import read

TIME: Final = 315_532_800
"""Modification time of all files in builds, 1980-01-01, so that builds are reproducible."""
REPOSITORY: Final = Path(__file__).resolve().parent.parent
SHIPPED: Final = Path("edge_app", "model", "shipped")
"""Where the wheel has its models."""

GLIBC: Final = range(17, 37)
"""Minor versions of glibc 2 that a wheel may need: up to Debian 12's."""

UNUSED: Final = {"pyjpegls"}
"""highdicom requires it to compress images, which the box never does; 32-bit Arm has no wheel."""

Requirements = dict[str, Requirement]
"""Requirements by canonical name."""


@dataclass(frozen=True)
class Target:
    """The system that wheels are for.

    Attributes:
        machine: as `uname -m`.
        python: `major.minor`.
        tflite: whether to take the older runtime even if there are wheels of the newer one.
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
        }

    @property
    def pip_options(self) -> list[str]:
        tags = [f"manylinux_2_{minor}_{self.machine}" for minor in reversed(GLIBC)]
        tags.append(f"manylinux2014_{self.machine}")
        platforms = (option for tag in tags for option in ("--platform", tag))
        chosen = ["--implementation", "cp", "--python-version", self.python, *platforms]
        return ["--only-binary", ":all:", *chosen]


def build(
    into: Path, models: Sequence[Path] = (), say: Callable[[str], None] = lambda line: None
) -> Path:
    """The device wheel of this checkout, built from a copy because a build leaves folders behind.

    Args:
        into: the folder.
        models: model files to add, each under its own name; one with the name of a shipped model
            replaces it.
        say: gets a line when the models have been read.

    Raises:
        ModelError: one of the models is no model file.
        UsageError: two of the models have one name.
        BoardsError: the wheel cannot be built.
    """
    by_name = _by_name(models)
    say("building the application's wheel …")
    source = into / "source"
    source.mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "edge_app", source / "edge_app", ignore=unwanted)
    for name, model in by_name.items():
        shutil.copyfile(model, source / SHIPPED / f"{name}.tflite")
    done = _pip("wheel", "--no-deps", "--wheel-dir", str(into), str(source))
    shutil.rmtree(source)
    if done.returncode:
        raise BoardsError(f"the wheel cannot be built: {_reason(done.stderr)}")
    (wheel,) = into.glob("*.whl")
    return wheel


def _by_name(models: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in models:
        name = read(path).name
        if name in found:
            raise UsageError(
                f"{found[name]} and {path} are both models named {name!r}: leave out one"
            )
        found[name] = path
    return found


def gather(
    wheel: Path,
    target: Target,
    into: Path,
    folders: Sequence[Path] = (),
    extras: Sequence[str] = (),
) -> None:
    """Download all that `wheel` needs on `target` into a folder.

    Args:
        wheel: the device wheel.
        target: what it will run on.
        into: holds no wheels yet.
        folders: with wheels that no index has.
        extras: of `wheel`, to include.

    Raises:
        DownloadError: no wheel of something exists for the target, or two of them disagree.
    """
    into.mkdir(parents=True, exist_ok=True)
    own = _for_runtime(requirements([wheel], target, extras), target)
    options = [option for folder in folders for option in ("--find-links", str(folder))]
    pending = own
    while pending:
        names = [f"{each.name}{each.specifier}" for each in pending.values()]
        try:
            download(names, [*options, *target.pip_options], into)
        except DownloadError as error:
            raise DownloadError(f"Python {target.python} on {target.machine}: {error}") from None
        have = {str(parse_wheel_filename(path.name)[0]): path for path in into.glob("*.whl")}
        needed = requirements(have.values(), target)
        for name, requirement in needed.items():
            if name in have:
                version = parse_wheel_filename(have[name].name)[1]
                if not requirement.specifier.contains(version, prereleases=True):
                    raise DownloadError(f"{name} {version} was taken, but {requirement} is needed")
        pending = {name: needed[name] for name in needed.keys() - have.keys()}


def download(names: Sequence[str], options: Sequence[str], into: Path) -> None:
    """Fetch wheels of exactly these requirements.

    Raises:
        DownloadError: one of them cannot be downloaded.
    """
    done = _pip("download", "--no-deps", "--dest", str(into), *options, *names)
    if done.returncode:
        raise DownloadError(_reason(done.stderr))


def requirements(
    wheels: Iterable[Path], target: Target, extras: Sequence[str] = ()
) -> Requirements:
    """What these wheels require on `target`; several specifiers of one project are combined."""
    environments = [target.marker_environment | {"extra": extra} for extra in ("", *extras)]
    joined: Requirements = {}
    for wheel in wheels:
        for text in requires(wheel):
            requirement = Requirement(text)
            marker, name = requirement.marker, canonicalize_name(requirement.name)
            if marker and not any(marker.evaluate(each) for each in environments):
                continue
            # An extra that stands for others names its own project.
            if name in UNUSED or name == canonicalize_name(wheel.name.split("-")[0]):
                continue
            if name in joined:
                requirement.specifier &= joined[name].specifier
            joined[name] = requirement
    return joined


def _for_runtime(required: Requirements, target: Target) -> Requirements:
    if not target.tflite or "tflite-runtime" in required:
        return required
    # The older runtime was built for numpy 1.
    older = {
        name: Requirement(f"{name}{spec}")
        for name, spec in (("tflite-runtime", ">=2.14"), ("numpy", ">=1.23.2,<2"))
    }
    return {name: each for name, each in required.items() if name != "ai-edge-litert"} | older


def requires(wheel: Path) -> Sequence[str]:
    """The requirements in a wheel's metadata, as they are written there."""
    name, version = wheel.name.split("-")[:2]
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"{name}-{version}.dist-info/METADATA")
    return BytesParser().parsebytes(metadata).get_all("Requires-Dist") or ()


def install(wheels: Sequence[Path], target: Target, into: Path) -> None:
    """Unpack wheels of another machine into a folder that it gets as PYTHONPATH.

    Raises:
        BoardsError: pip refuses one.
    """
    options = ["--no-index", "--no-deps", "--no-compile", "--target", str(into)]
    # Wheels for another Python would be refused by this one's version.
    options += ["--ignore-requires-python", *target.pip_options]
    done = _pip("install", *options, *map(str, wheels))
    if done.returncode:
        raise BoardsError(f"the wheels cannot be installed: {_reason(done.stderr)}")


def _pip(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    if find_spec("pip") is None:
        raise BoardsError(
            f"{sys.executable} has no pip, which fetches and unpacks wheels: make "
            ".venv/device/installed, then .venv/device/bin/python -m boards; .venv/workstation has "
            "it as well"
        )
    line = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", command, *arguments]
    steady = {**os.environ, "SOURCE_DATE_EPOCH": str(TIME)}
    return subprocess.run(line, env=steady, capture_output=True, text=True, errors="replace")


def _reason(said: str) -> str:
    errors = [line for line in said.splitlines() if line.startswith("ERROR:")]
    return " ".join(" ".join(errors or said.splitlines()[-3:]).split())[:400]
