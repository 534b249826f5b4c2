"""Measurement groups that are made once and then filled in.

highdicom checks all that it makes of many objects, which takes most of a second for a report on a
Raspberry Pi. The groups of two images differ in a few values alone, so each kind of group is made,
checked and encoded once, with stand-ins for these values; a report puts the values in their place.
What is filled in must not change a length, so sequences have delimiters instead (PS3.5 7.5.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from edge_app.clinic.header import Instance

if TYPE_CHECKING:
    from pydicom import Dataset

TRACKING: Final = "2.25.9701"
INSTANCE: Final = Instance("1.2.840.10008.5.1.4.1.1.1", "2.25.9702", "", "")
NUMBERS: Final = (0.970301, 0.970302)
"""Stand-ins; six digits after the point are what is reported."""


class Form(NamedTuple):
    """A group's item in a sequence, encoded, in explicit VR little endian."""

    encoded: bytes

    @classmethod
    def of(cls, group: Dataset) -> Form:
        """The form that a group with stand-ins is."""
        from pydicom.filebase import DicomBytesIO
        from pydicom.filewriter import write_sequence_item

        open_ended(group)
        group.is_undefined_length_sequence_item = True
        file = DicomBytesIO()
        file.is_little_endian, file.is_implicit_VR = True, False
        write_sequence_item(file, group, ["iso8859"])
        return cls(file.getvalue())

    def filled(
        self, image: Instance, tracking: str, numbers: tuple[float | None, float | None]
    ) -> bytes:
        """The item with its values.

        Args:
            image: that the group is about.
            tracking: the group's UID.
            numbers: 0 to 1; None where the form has no place for it.
        """
        data = self.encoded
        for tag, stand_in, uid in (
            (b"\x40\x00\x24\xa1", TRACKING, tracking),
            (b"\x08\x00\x50\x11", INSTANCE.sop_class, image.sop_class),
            (b"\x08\x00\x55\x11", INSTANCE.sop_instance, image.sop_instance),
        ):
            data = data.replace(tag + _uid(stand_in), tag + _uid(uid))
        for nobody, number in zip(NUMBERS, numbers, strict=True):
            if number is not None:
                data = data.replace(b"DS\x08\x00%.6f" % nobody, b"DS\x08\x00%.6f" % number)
        return data


def open_ended(dataset: Dataset) -> None:
    """Have all sequences below it, and their items, end with a delimiter."""
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
                open_ended(item)


def _uid(value: str) -> bytes:
    """A UID's VR, length and value."""
    padded = value.encode() + b"\0" * (len(value) % 2)
    return b"UI" + len(padded).to_bytes(2, "little") + padded
