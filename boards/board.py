"""The known boards: their system, its Python and its processor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge_app.core.errors import UsageError


@dataclass(frozen=True)
class Processor:
    """An emulated processor, and what programs on it read about it.

    Attributes:
        qemu: the emulator's program, without its folder.
        cpu: its `-cpu`.
        machine: what `uname -m` says there.
        cpuinfo: of one core, as Linux prints it; otherwise programs would see the host's, and
            ai-edge-litert from 2.2 on crashes without Arm's lines in `/proc/cpuinfo`.
        model: as in `/proc/device-tree/model`.
    """

    qemu: str
    cpu: str
    machine: str
    cpuinfo: str
    model: str


PI4_64: Final = Processor(
    "qemu-aarch64-static",
    "cortex-a72",
    "aarch64",
    "BogoMIPS\t: 108.00\n"
    "Features\t: fp asimd evtstrm crc32 cpuid\n"
    "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\n"
    "CPU revision\t: 3\n",
    "Raspberry Pi 4, emulated by qemu-user",
)
PI4_32: Final = Processor(
    "qemu-arm-static",
    "cortex-a15",  # the nearest with a name of its own in 32 bits
    "armv7l",
    "model name\t: ARMv7 Processor rev 3 (v7l)\nBogoMIPS\t: 108.00\n"
    "Features\t: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm "
    "crc32\n"
    "CPU implementer\t: 0x41\nCPU architecture: 7\nCPU variant\t: 0x0\nCPU part\t: 0xd08\n"
    "CPU revision\t: 3\n",
    "Raspberry Pi 4 in 32 bits, emulated by qemu-user",
)
CORES: Final = 4
LIBRARIES: Final = ("libstdc++6", "libgcc-s1", "zlib1g")
"""System libraries that wheels need, and that Raspberry Pi OS always has."""


@dataclass(frozen=True)
class Board:
    """A system on a processor.

    Attributes:
        suite: Debian's name for the release that Raspberry Pi OS is made from.
        architecture: Debian's.
        python: the release's own, as `major.minor`.
    """

    name: str
    title: str
    suite: str
    architecture: str
    python: str
    processor: Processor


BOARDS: Final = {
    board.name: board
    for board in (
        Board("debian12-arm64", "Raspberry Pi OS 12, 64 bit", "bookworm", "arm64", "3.11", PI4_64),
        Board("debian13-arm64", "Raspberry Pi OS 13, 64 bit", "trixie", "arm64", "3.13", PI4_64),
        Board("debian12-armhf", "Raspberry Pi OS 12, 32 bit", "bookworm", "armhf", "3.11", PI4_32),
    )
}


def find(name: str) -> Board:
    """The board of that name.

    Raises:
        UsageError: there is none; says which there are.
    """
    try:
        return BOARDS[name]
    except KeyError:
        raise UsageError(f"no board {name!r}: there are {', '.join(BOARDS)}") from None
