"""The offline kit: one archive with all wheels that a board needs, digests and an installer."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boards import downloads, wheels
from boards.wheels import TIME
from edge_app.core import signing, trust
from edge_app.core.errors import UsageError
from edge_app.core.files import write_whole
from edge_app.core.signing import SecretKey

HERE: Final = Path(__file__).parent
INSTALLER: Final = ("install.sh", "installer.py")
SERVICE: Final = ("service.sh", "service/edge-cxr.service", "service/box.toml")


@dataclass(frozen=True)
class KitTarget:
    """Which boards a kit is for.

    Attributes:
        machine: in the names of wheels.
        machines: what `uname -m` may say: 32-bit systems mostly run a 64-bit kernel.
        extras: of the device wheel.
    """

    name: str
    machine: str
    machines: tuple[str, ...]
    bits: int
    pythons: tuple[str, ...]
    extras: tuple[str, ...] = ("dicom", "clinic")


TARGETS: Final = {
    target.name: target
    for target in (
        KitTarget("pi64", "aarch64", ("aarch64",), 64, ("3.11", "3.13")),
        # DICOM's codecs have no wheels there: what is not compressed is read.
        KitTarget("pi32", "armv7l", ("armv7l", "armv8l", "aarch64"), 32, ("3.11",), ("clinic",)),
        KitTarget("x86-64", "x86_64", ("x86_64",), 64, ("3.10", "3.11", "3.12", "3.13")),
    )
}


def find(name: str) -> KitTarget:
    """The target of that name.

    Raises:
        UsageError: there is none; says which there are.
    """
    try:
        return TARGETS[name]
    except KeyError:
        raise UsageError(f"no kit for {name!r}: there are {', '.join(TARGETS)}") from None


def build(
    target: KitTarget,
    into: Path,
    cache: Path,
    pythons: Sequence[str] = (),
    models: Sequence[Path] = (),
    wheel: Path | None = None,
    key: SecretKey | None = None,
    serial: int = 0,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Build `edge-cxr-kit-TARGET.tar.gz` in `into`, and a file with its SHA-256.

    Args:
        target: what it is for.
        into: the folder.
        cache: where downloads are kept.
        pythons: only these versions; default all that the target has.
        models: model files to add to the shipped ones; see `wheels.build`.
        wheel: of the device, with all its models; default: built from this checkout and `models`.
        key: signs it, if there is one.
        serial: of the signature, higher than that of the previous kit.
        say: gets a line before each step that takes long.

    Raises:
        UsageError: the target has no such Python, or two models have one name.
        ModelError: one of the models is no model file.
        BoardsError: wheels cannot be built or downloaded.
    """
    unknown = set(pythons) - set(target.pythons)
    if unknown:
        there = ", ".join(target.pythons)
        raise UsageError(f"kit {target.name}: no Python {', '.join(unknown)}: there are {there}")
    with tempfile.TemporaryDirectory() as work:
        own = wheel or wheels.build(Path(work), models, say)
        pip = downloads.pip_wheel(cache)
        sets = {}
        for python in pythons or target.pythons:
            machine = wheels.Target(target.machine, python)
            say(f"Python {python}: fetching its wheels, unless {cache} has them …")
            needed = downloads.wheels_for(own, machine, cache, target.extras)
            sets[python] = [own, *needed]
        members = contents(target, pip, sets)
    if key is not None:
        members |= signed(members, target, key, serial)
    into.mkdir(parents=True, exist_ok=True)
    place = into / f"edge-cxr-kit-{target.name}.tar.gz"
    say(f"packing {place.name} …")
    data = _archive(f"edge-cxr-kit-{target.name}", members)
    write_whole(place, data)
    digest = f"{hashlib.sha256(data).hexdigest()}  {place.name}\n"
    write_whole(place.with_name(place.name + ".sha256"), digest.encode())
    return place


def contents(target: KitTarget, pip: Path, sets: Mapping[str, Sequence[Path]]) -> dict[str, bytes]:
    """A kit's files.

    Args:
        target: what it is for.
        pip: its wheel.
        sets: Python → the wheels to install, the device's own first.
    """
    together = {path.name: path for chosen in sets.values() for path in chosen}.values()
    facts = {
        "target": target.name,
        "version": next(iter(together)).name.split("-")[1],
        "machines": target.machines,
        "bits": target.bits,
        "glibc": f"2.{max(glibc(path.name) for path in together)}",
        "pip": pip.name,
        "wheels": {python: [path.name for path in chosen] for python, chosen in sets.items()},
    }
    members = {name: (HERE / name).read_bytes() for name in (*INSTALLER, *SERVICE)}
    members |= {f"wheels/{path.name}": path.read_bytes() for path in (pip, *together)}
    members["kit.json"] = (json.dumps(facts, indent=2) + "\n").encode()
    digests = (f"{hashlib.sha256(members[name]).hexdigest()}  {name}\n" for name in sorted(members))
    members["SHA256SUMS"] = "".join(digests).encode()
    return members


def signed(
    members: Mapping[str, bytes], target: KitTarget, key: SecretKey, serial: int
) -> dict[str, bytes]:
    """The signature of a kit's digests, and so of all its files, as one more file."""
    sums = members["SHA256SUMS"]
    signature = key.sign(sums, trust.comment("kit", target.name, serial))
    checked = signing.checked(signature, sums, key.public)
    return {f"SHA256SUMS{trust.SUFFIX}": checked.file.encode()}


def unpack(archive: Path, into: Path) -> Path:
    """The kit's folder, as `tar -x` makes it on a board."""
    shutil.unpack_archive(archive, into)
    (folder,) = into.iterdir()
    return folder


def glibc(wheel: str) -> int:
    """The oldest glibc 2.x that a wheel runs with, from its name; 0: any."""
    minors = [int(minor) for minor in re.findall(r"manylinux_2_(\d+)_", wheel)]
    return min(minors, default=17 if "manylinux2014" in wheel else 0)


def _archive(folder: str, members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    # Wheels are compressed already: a higher level only takes longer.
    with (
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=packed, mtime=TIME) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for name in sorted(members):
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mtime = len(members[name]), TIME
            entry.mode = 0o755 if name in ("install.sh", "service.sh") else 0o644
            archive.addfile(entry, io.BytesIO(members[name]))
    return packed.getvalue()
