"""The Edge TPU of a Coral: libedgetpu as the delegate, a USB or PCIe device behind it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from edge_app.runtimes.delegate import Delegate
from edge_app.runtimes.fault import NO_DEVICE, PERMISSION, REFUSED, Fault
from edge_app.runtimes.library import find

LIBRARY: Final = "libedgetpu.so.1"
LIBRARY_VARIABLE: Final = "EDGE_CXR_EDGETPU_LIBRARY"
"""Names the library where it lies elsewhere than the dynamic linker looks."""

USB_IDS: Final = (("1a6e", "089a"), ("18d1", "9302"))
"""Vendor and product of a USB Accelerator, before and after it was given its firmware."""

USB_RULE: Final = 'SUBSYSTEM=="usb", ATTRS{idVendor}=="1a6e|18d1", MODE="0660", GROUP="plugdev"'
PCIE_RULE: Final = 'SUBSYSTEM=="apex", MODE="0660", GROUP="apex"'

NOT_INSTALLED: Final = (
    f"{LIBRARY} is not installed: install libedgetpu1-std (coral.ai/software), "
    f"or name the library in {LIBRARY_VARIABLE}"
)


@dataclass(frozen=True)
class Device:
    """An Edge TPU that the kernel sees.

    Attributes:
        node: its file below /dev.
        kind: ``usb`` or ``pcie``.
        accessible: whether this user may read and write it.
    """

    node: str
    kind: str
    accessible: bool


@dataclass(frozen=True)
class EdgeTpu(Delegate):
    """libedgetpu.

    Attributes:
        found: by searching for it, rather than named by the user: then a device must be seen
            before the library is tried at all.
    """

    found: bool = False

    name: ClassVar[str] = "edgetpu"
    hint: ClassVar[str] = (
        "most often a libedgetpu of another TensorFlow Lite version than the interpreter's: "
        "install a matching one"
    )

    @property
    def label(self) -> str:
        return f"Edge TPU ({self.library})"

    def unavailable(self) -> Fault | None:
        broken = super().unavailable()
        if broken or not self.found or not os.path.isdir("/sys/bus"):
            return broken
        return self._device_fault()

    def refusal(self, reason: str) -> Fault:
        fault = self._device_fault()
        if fault:
            return fault
        said = f" ({reason})" if reason else ""
        return Fault(
            REFUSED,
            f"{self.label}: a device is there and libedgetpu refuses it{said}: "
            "end what else uses it, or unplug it and plug it in again",
        )

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "devices": [[d.kind, d.accessible] for d in devices()]}

    def _device_fault(self) -> Fault | None:
        seen = devices()
        if not seen:
            return Fault(
                NO_DEVICE,
                f"{self.label}: no device is seen, neither on USB nor on PCIe: plug it in, on a "
                "port that gives enough current; for PCIe install the gasket driver",
            )
        if any(device.accessible for device in seen):
            return None
        first = seen[0]
        rule, group = (USB_RULE, "plugdev") if first.kind == "usb" else (PCIE_RULE, "apex")
        return Fault(
            PERMISSION,
            f"{self.label}: no permission for {first.node}: put {rule} into "
            f"/etc/udev/rules.d/60-edgetpu.rules, run sudo usermod -aG {group} $USER, "
            "restart the machine",
        )


def locate() -> EdgeTpu | None:
    """The Edge TPU's library: the one the environment names, or the installed one, if any."""
    given = os.environ.get(LIBRARY_VARIABLE)
    if given:
        return EdgeTpu(Path(os.path.abspath(given)))
    library = find(LIBRARY)
    return EdgeTpu(library, found=True) if library else None


def devices(root: Path = Path("/")) -> list[Device]:
    """Edge TPUs that the kernel sees, the accessible ones first.

    Args:
        root: of the file system that holds ``sys`` and ``dev``.
    """
    seen = []
    usb = root / "sys/bus/usb/devices"
    for entry in sorted(os.listdir(usb)) if usb.is_dir() else ():
        if (_text(usb / entry / "idVendor"), _text(usb / entry / "idProduct")) in USB_IDS:
            bus, number = (_text(usb / entry / name) for name in ("busnum", "devnum"))
            if bus.isdecimal() and number.isdecimal():
                seen.append(("usb", f"dev/bus/usb/{int(bus):03d}/{int(number):03d}"))
    dev = root / "dev"
    seen += [
        ("pcie", f"dev/{name}")
        for name in (sorted(os.listdir(dev)) if dev.is_dir() else ())
        if name.startswith("apex_")
    ]
    found = [
        Device(f"/{node}", kind, os.access(root / node, os.R_OK | os.W_OK)) for kind, node in seen
    ]
    return sorted(found, key=lambda device: not device.accessible)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
