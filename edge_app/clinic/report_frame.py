"""The form of a whole report, taken apart once, so that a report is put together of bytes.

pydicom takes a fiftieth of a second to read, change and write a report; all of it but a few
elements is the same for each image. So the elements of a form are encoded once, and in each report
those of the image take their places: by tag at the top, as bytes in the place of stand-ins below.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Final, NamedTuple

from edge_app.clinic.report_forms import (
    GAP,
    INSTANCE,
    REPORT,
    TRACKING,
    damaged,
    encoded,
    encoded_element,
    open_ended,
    uid_value,
)

if TYPE_CHECKING:
    from pydicom import Dataset

    from edge_app.clinic.header import Instance

PREAMBLE: Final = b"\0" * 128 + b"DICM"
META_HEAD: Final = b"\x02\0\0\0UL\x04\0"
"""The element that has the length of all others of the file meta information (PS3.10 7.1)."""

CONTENT: Final = 0x0040A730
CONTENT_HEAD: Final = b"\x40\x00\x30\xa7SQ\0\0"
END_OF_SEQUENCE: Final = b"\xfe\xff\xdd\xe0\0\0\0\0"
END_OF_ITEM: Final = b"\xfe\xff\x0d\xe0\0\0\0\0"
ENDS: Final = END_OF_SEQUENCE + END_OF_ITEM
UNDEFINED: Final = b"\xff\xff\xff\xff"
"""PS3.5 7.5."""

FRAMES: Final = 16
"""Kept: of each verdict, and of models before and after a change."""


class Frame(NamedTuple):
    """A form taken apart.

    Attributes:
        meta: its file meta information, without the length.
        elements: all that stand at its top, but the content, by their tags, encoded.
        before, between, after: its content; lines of text belong behind the first, groups behind
            the second.
        line: an item of text, whose text is `GAP`.
    """

    meta: bytes
    elements: dict[int, bytes]
    before: bytes
    between: bytes
    after: bytes
    line: bytes

    def filled(
        self,
        own: Dataset,
        image: Instance,
        check: str,
        lines: Iterable[str],
        groups: Iterable[bytes],
    ) -> bytes:
        """A report as a file.

        Args:
            own: elements of this report alone, which stand at the top; those that pydicom has not
                decoded stay as they are.
            image: that it is about.
            check: UID of the group of the input check.
            lines: of ASCII text, in that group.
            groups: of the findings, as items.
        """
        elements = {tag: _of(image, check, each) for tag, each in self.elements.items()}
        for element in own.elements():
            elements[int(element.tag)] = encoded_element(element)
        texts = (self.line.replace(_text(GAP), _text(line), 1) for line in lines)
        before, after = (_of(image, check, each) for each in (self.before, self.after))
        content = b"".join((before, *texts, self.between, *groups, after))
        meta = self.meta.replace(uid_value(REPORT), uid_value(str(own.SOPInstanceUID)), 1)
        return b"".join(
            (
                *(PREAMBLE, META_HEAD, len(meta).to_bytes(4, "little"), meta),
                *(elements[tag] for tag in sorted(elements)),
                *(CONTENT_HEAD, len(content).to_bytes(4, "little"), content),
            )
        )


@lru_cache(FRAMES)
def frame_of(form: bytes) -> Frame:
    """A form of a whole report taken apart.

    Args:
        form: a file, see `make_report_forms`.

    Raises:
        EdgeCxrError: it is no such form.
    """
    from pydicom import dcmread

    document = dcmread(BytesIO(form))
    elements = {int(each.tag): encoded_element(each) for each in open_ended(document)}
    content = elements.pop(CONTENT, b"")
    line = encoded(_text_item(document))
    before, gap, rest = content.partition(line)
    length = int.from_bytes(form[(start := len(PREAMBLE) + len(META_HEAD)) :][:4], "little")
    meta = form[start + 4 : start + 4 + length]
    whole = (
        (gap, line.count(_text(GAP)), meta.count(uid_value(REPORT))) == (line, 1, 1)
        and content.startswith(CONTENT_HEAD + UNDEFINED)
        and rest.startswith(ENDS)
        and rest.endswith(END_OF_SEQUENCE)
        and max(elements) < CONTENT
    )
    if not whole:
        raise damaged()
    return Frame(
        *(meta, elements, before[len(CONTENT_HEAD + UNDEFINED) :], ENDS),
        *(rest[len(ENDS) : -len(END_OF_SEQUENCE)], line),
    )


def _text_item(document: Dataset) -> Dataset:
    """The item whose text is `GAP`: the last one of the first group."""
    found: Dataset | None = None
    todo = [document]
    while todo:
        for item in todo.pop().get("ContentSequence", ()):
            found = item if item.get("TextValue") == GAP else found
            todo.append(item)
    if found is None:
        raise damaged()
    return found


def _of(image: Instance, check: str, form: bytes) -> bytes:
    """A part of a form with the image's identifiers in the places of stand-ins."""
    for tag, stand_in, uid in (
        (b"\x08\x00\x50\x11", INSTANCE.sop_class, image.sop_class),
        (b"\x08\x00\x55\x11", INSTANCE.sop_instance, image.sop_instance),
        (b"\x20\x00\x0d\x00", INSTANCE.study, image.study),
        (b"\x20\x00\x0e\x00", INSTANCE.series, image.series),
        (b"\x40\x00\x24\xa1", TRACKING, check),
    ):
        form = form.replace(tag + uid_value(stand_in), tag + uid_value(uid))
    return form


def _text(text: str) -> bytes:
    """An unlimited text's VR, length and value."""
    padded = text.encode("ascii") + b" " * (len(text) % 2)
    return b"UT\0\0" + len(padded).to_bytes(4, "little") + padded
