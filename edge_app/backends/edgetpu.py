"""The Edge TPU of a Coral: libedgetpu as the delegate, a USB or PCIe device behind it.

It computes networks that were compiled for it, and leaves all others to the processor.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final, NamedTuple

from edge_app.backends.delegate import Delegate
from edge_app.backends.fault import ABSENT, NO_DEVICE, PERMISSION, REFUSED, Fault
from edge_app.backends.interpreters import interpreters_for
from edge_app.backends.shared_library import find
from edge_app.backends.tflite_interpreter import Interpreter
from edge_app.model.model_file import ModelFile

LIBRARY_NAME: Final = "libedgetpu.so.1"
VARIABLE: Final = "EDGE_CXR_EDGETPU_LIBRARY"
"""The environment variable with the library's path, if the dynamic linker does not find it."""

NOT_INSTALLED: Final = (
    f"{LIBRARY_NAME} is not installed: install libedgetpu1-std (coral.ai/software), "
    f"or name the library in {VARIABLE}"
)

OPERATOR: Final = b"edgetpu-custom-op"
"""The operator in every network from the Edge TPU's compiler."""

USB_IDS: Final = (("1a6e", "089a"), ("18d1", "9302"))
"""Vendor and product of a USB Accelerator, before and after its firmware is loaded."""

USB_RULE: Final = 'SUBSYSTEM=="usb", ATTRS{idVendor}=="1a6e|18d1", MODE="0660", GROUP="plugdev"'
PCIE_RULE: Final = 'SUBSYSTEM=="apex", MODE="0660", GROUP="apex"'


SEARCHED, NAMED, PATH, MISSING = "searched", "named", "path", "absent"
"""How a library was found, see `EdgeTpu`."""


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
    """libedgetpu in an interpreter.

    Args:
        library: its file, absolute.
        interpreter: the one that loads it.
        origin: where the library was found. ``searched``: by the linker, so it is tried only if a
            device is seen; ``named``: by the environment; ``path``: by ``--backend``;
            ``absent``: nowhere.
    """

    name = "edgetpu"
    title = "Edge TPU"
    hint = (
        "most often a libedgetpu of another TensorFlow Lite version than the interpreter's: "
        "install a matching one"
    )
    sources: ClassVar[Mapping[str, str]] = MappingProxyType({"libusb": "libusb-1.0-0"})

    def __init__(self, library: Path, interpreter: Interpreter, origin: str = PATH) -> None:
        super().__init__(library, interpreter)
        self.origin = origin

    @classmethod
    def find(cls, part: str = "") -> Sequence[EdgeTpu]:
        """The library that is named or that the linker finds, in each interpreter or in `part`."""
        named = os.environ.get(VARIABLE)
        library = Path(os.path.abspath(named)) if named else find(LIBRARY_NAME)
        origin = NAMED if named else SEARCHED if library else MISSING
        place = library or Path(LIBRARY_NAME)
        return [cls(place, each, origin) for each in interpreters_for(cls.name, part)]

    @classmethod
    def claims(cls, library: Path) -> bool:
        return library.name.startswith("libedgetpu")

    @property
    def option(self) -> str:
        return super().option if self.origin == PATH else f"{self.name}:{self.interpreter.name}"

    @property
    def label(self) -> str:
        return f"{self.title} ({self.library})"

    @property
    def installed(self) -> bool:
        return self.origin != MISSING

    def available(self) -> Fault | None:
        if self.origin == MISSING:
            return Fault(ABSENT, NOT_INSTALLED)
        broken = super().available()
        if broken or self.origin != SEARCHED or not os.path.isdir("/sys/bus"):
            return broken
        return self._device_fault()

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "devices": [[d.kind, d.accessible] for d in devices()]}

    def version(self, loaded: ctypes.CDLL) -> str:
        try:
            tell = loaded.edgetpu_version
        except AttributeError:
            return ""
        tell.restype = ctypes.c_char_p
        said = (tell() or b"").decode(errors="replace")
        known = re.search(r"RuntimeVersion\(\w+\)", said)
        return f"libedgetpu {known[0]}" if known else ""

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

    def summary(self, model: ModelFile) -> str | None:
        stated = model.manifest.get("compiled", {}).get(self.name)
        if stated is None and model.in_float32:
            return "not compiled for it, and it cannot map what stays in float32"
        if stated is None:
            return "not compiled for it"
        text = f"compiled by {stated['compiler']}, {stated['bytes']} bytes"
        operations = stated.get("operations")
        if operations is None:
            return text
        return (
            f"{text}: {operations['accelerator']} operations on the {self.title}, "
            f"{operations['cpu']} on the CPU"
        )

    def caveat(self, model: ModelFile) -> str | None:
        if is_compiled(self.network(model)):
            return None
        return (
            f"{model.path} holds no network compiled for the Edge TPU, so nothing would run there "
            "and the CPU computes all of it: python -m quantize edgetpu compiles one"
        )

    def requirement(self, network: bytes) -> str | None:
        if not is_compiled(network):
            return None
        return (
            "is compiled for the Edge TPU, and none is in use: "
            "see 'edge-cxr doctor', or take the model file that is not compiled"
        )

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


def is_compiled(network: bytes) -> bool:
    """Whether a flatbuffer was compiled for the Edge TPU, and runs with its delegate alone.

    It searches for the operator's name. So it works on any bytes without parsing, and at worst
    takes a network that merely contains the name for a compiled one.
    """
    return OPERATOR in network


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
