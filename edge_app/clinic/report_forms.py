"""Structured reports that are made once, with stand-ins, and then filled in.

highdicom makes reports and checks what it makes: it takes 90 MB of memory and, on a Raspberry Pi,
seconds for each. Two images' reports differ in a few values alone. So each kind of report and of
measurement group is made once, by `make_report_forms` in a process of its own, and kept beside the
spool; the box itself only puts values in the place of stand-ins.

A group is filled in as bytes. That must not change a length it is part of, so sequences and items
have delimiters instead (DICOM PS3.5 7.5.2).
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge_app.clinic import durable
from edge_app.clinic.header import Instance
from edge_app.core.about import __version__
from edge_app.core.errors import EdgeCxrError

if TYPE_CHECKING:
    from pydicom import DataElement, Dataset
    from pydicom.dataelem import RawDataElement
    from pydicom.filebase import DicomBytesIO

TRACKING: Final = "2.25.9701"
INSTANCE: Final = Instance("1.2.840.10008.5.1.4.1.1.1", "2.25.9702", "2.25.9703", "2.25.9704")
REPORT: Final = "2.25.9705"
SERIES: Final = "2.25.9706"
NUMBERS: Final = (8.970301, 8.970302)
"""Stand-ins for a probability and a percentile, which are never this large; as wide as what is
reported, with six digits after the point."""

GAP: Final = "The groups of the findings belong here"
"""The text of the item that the groups replace."""

SECONDS: Final = 300
DIGEST_BYTES: Final = 32
"""A kept form begins with so many bytes of its SHA-256."""


class Kind(NamedTuple):
    """A kind of form: all that the images of its reports have in common.

    Attributes:
        model, model_sha256, parameters: the algorithm.
        author, device: the name of the box and its UID; for whole reports.
        verdict: of the input check; for whole reports.
        group: name, code's scheme, value and meaning, threshold, decision, whether there is a
            percentile, operating point; for groups.
    """

    model: str
    model_sha256: str
    parameters: tuple[str, ...]
    author: str = ""
    device: str = ""
    verdict: str = ""
    group: tuple[Any, ...] = ()

    def text(self) -> str:
        """This kind as JSON, with what else its form depends on."""
        return json.dumps([__version__, NUMBERS, *self])

    @classmethod
    def of(cls, text: str) -> Kind:
        """The kind of a text."""
        _, _, *values = json.loads(text)
        model, digest, parameters, author, device, verdict, group = values
        return cls(model, digest, tuple(parameters), author, device, verdict, tuple(group))


class FormBook:
    """The forms, made when they are first needed.

    Args:
        folder: where they are kept; made if need be, but not the one above it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._forms: dict[Kind, bytes] = {}
        self._lock = threading.Lock()

    def get(self, kinds: Sequence[Kind], soon: Iterable[Kind] = ()) -> list[bytes]:
        """The forms of these kinds.

        Args:
            soon: kinds that will be wanted next; made where others have to be made.

        Raises:
            EdgeCxrError: they cannot be made.
        """
        with self._lock:
            missing = [kind for kind in kinds if not self._kept(kind)]
            if missing:
                more = (kind for kind in soon if not self._kept(kind))
                self._make([*dict.fromkeys([*missing, *more])])
        return [self._forms[kind] for kind in kinds]

    def _make(self, kinds: Sequence[Kind]) -> None:
        for kind, form in zip(kinds, _made(kinds), strict=True):
            self._forms[kind] = form
            with suppress(OSError):  # then it is made again after the next start
                self.folder.mkdir(mode=0o700, exist_ok=True)
                durable.replace(self._path(kind), hashlib.sha256(form).digest() + form)

    def _kept(self, kind: Kind) -> bool:
        if kind not in self._forms:
            with suppress(OSError):
                kept = self._path(kind).read_bytes()
                digest, form = kept[:DIGEST_BYTES], kept[DIGEST_BYTES:]
                if hashlib.sha256(form).digest() == digest:  # a disk may have changed its words
                    self._forms[kind] = form
        return kind in self._forms

    def _path(self, kind: Kind) -> Path:
        return self.folder / hashlib.sha256(kind.text().encode()).hexdigest()


def _made(kinds: Sequence[Kind]) -> list[bytes]:
    line = [sys.executable, "-m", "edge_app.clinic.make_report_forms"]
    request = json.dumps([kind.text() for kind in kinds])
    try:
        done = subprocess.run(
            line,
            input=request,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            start_new_session=True,  # Ctrl-C lets it come to its end
        )
    except subprocess.TimeoutExpired:
        raise EdgeCxrError(f"structured reports are not made within {SECONDS} s") from None
    if done.returncode:
        why = " ".join(done.stderr.strip().splitlines()[-1:])[:300]
        raise EdgeCxrError(f"structured reports cannot be made: {why or done.returncode}")
    return [base64.b64decode(each) for each in json.loads(done.stdout)]


def encoded(item: Dataset) -> bytes:
    """An item of a sequence of ASCII texts, in explicit VR little endian, with delimiters."""
    from pydicom.filewriter import write_sequence_item

    open_ended(item)
    item.is_undefined_length_sequence_item = True
    file = _little_endian()
    write_sequence_item(file, item, ["iso8859"])
    return file.getvalue()


def encoded_element(element: DataElement | RawDataElement, *, implicit: bool = False) -> bytes:
    """An element of ASCII texts, or of bytes that stay as they are, in little endian.

    Args:
        implicit: whether its VR is unsaid.
    """
    from pydicom.filewriter import write_data_element

    file = _little_endian(implicit=implicit)
    write_data_element(file, element, ["iso8859"])
    return file.getvalue()


def _little_endian(*, implicit: bool = False) -> DicomBytesIO:
    from pydicom.filebase import DicomBytesIO

    file = DicomBytesIO()
    file.is_little_endian, file.is_implicit_VR = True, implicit
    return file


def open_ended(dataset: Dataset) -> Dataset:
    """Have all sequences below it, and their items, end with a delimiter; it is the same one."""
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
                open_ended(item)
    return dataset


def filled(
    group: bytes, image: Instance, tracking: str, numbers: tuple[float | None, float | None]
) -> bytes:
    """A group with its values.

    Args:
        group: its form.
        image: that the group is about.
        tracking: the group's UID.
        numbers: probability and percentile, 0 to 1; None where the form has no place for it.

    Raises:
        EdgeCxrError: it is no such form: each value has one place.
    """
    values: list[tuple[bytes, bytes]] = [
        (tag + uid_value(stand_in), tag + uid_value(uid))
        for tag, stand_in, uid in (
            (b"\x40\x00\x24\xa1", TRACKING, tracking),
            (b"\x08\x00\x50\x11", INSTANCE.sop_class, image.sop_class),
            (b"\x08\x00\x55\x11", INSTANCE.sop_instance, image.sop_instance),
        )
    ]
    for nobody, number in zip(NUMBERS, numbers, strict=True):
        if number is not None:  # a number is there as text, and as a double
            values += zip(_number(nobody), _number(number), strict=True)
    for stand_in, value in values:
        if group.count(stand_in) != 1:
            raise damaged()
        group = group.replace(stand_in, value)
    return group


def _number(value: float) -> tuple[bytes, bytes]:
    """VR, length and value of the elements Numeric Value and Floating Point Value."""
    return b"DS\x08\x00%.6f" % value, b"FD\x08\x00" + struct.pack("<d", round(value, 6))


@lru_cache(64)
def uid_value(value: str) -> bytes:
    """A UID's VR, length and value."""
    padded = value.encode() + b"\0" * (len(value) % 2)
    return b"UI" + len(padded).to_bytes(2, "little") + padded


def damaged() -> EdgeCxrError:
    """The error for a form that is not as it was made."""
    return EdgeCxrError("a kept form is damaged: remove the folder 'forms' of the spool")
