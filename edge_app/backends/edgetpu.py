"""The Edge TPU of a Coral: libedgetpu as the delegate, a USB or PCIe device behind it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

from edge_app.backends.delegate import Delegate
from edge_app.backends.fault import NO_DEVICE, PERMISSION, REFUSED, Fault
from edge_app.backends.options import EDGETPU

USB_IDS: Final = (("1a6e", "089a"), ("18d1", "9302"))
"""Vendor and product of a USB Accelerator, before and after it was given its firmware."""

USB_RULE: Final = 'SUBSYSTEM=="usb", ATTRS{idVendor}=="1a6e|18d1", MODE="0660", GROUP="plugdev"'
PCIE_RULE: Final = 'SUBSYSTEM=="apex", MODE="0660", GROUP="apex"'


class Device(NamedTuple):
    """An Edge TPU that the kernel sees.

    Attributes:
        node: its file below /dev.
        kind: ``usb`` or ``pcie``.
        accessible: whether this user may read and write it.
    """

    node: str
    kind: str
    accessible: bool


class EdgeTpu(Delegate):
    """libedgetpu.

    Args:
        library: its file, absolute.
        found: by searching for it, rather than named by the user: then a device must be seen
            before the library is tried at all.
    """

    name: ClassVar[str] = EDGETPU
    hint: ClassVar[str] = (
        "most often a libedgetpu of another TensorFlow Lite version than the interpreter's: "
        "install a matching one"
    )

    def __init__(self, library: Path, found: bool = False) -> None:
        super().__init__(library)
        self.found = found

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
