"""The images that a DICOMDIR names: the list of a medium's files (PS3.3 F, PS3.10 8)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from edge_app.core.errors import DatasetError, ImageError
from edge_app.core.files import UnreadableError, read_bounded
from edge_app.core.plain_text import printable
from edge_app.images.dicom import quietly
from edge_app.images.dicom_file import PREAMBLE, PREFIX
from edge_app.images.dicom_values import Metered, Values, parsing

if TYPE_CHECKING:
    from pydicom import Dataset

MAX_BYTES: Final = 64 << 20
MAX_READS: Final = 2_000_000
"""Reads of elements and records, at most: each costs more memory than its bytes."""

META: Final = 0x0002
RECORDS: Final = 0x00041220
DEEPEST: Final = 8
"""Parts of a file's name (PS3.10 8.2)."""

UNUSED: Final = 0
"""The in-use flag of a record whose file was deleted (PS3.3 F.3.2.2)."""


class _Directory(Metered):
    def require_few(self) -> None:
        if self.reads > MAX_READS:
            raise ImageError("names more files than a medium holds")


def images_in(directory: str) -> Iterator[str]:
    """The files of a DICOMDIR's image records, in their order; it is trusted in nothing.

    Args:
        directory: its path. Only what lies in its folder is named.

    Raises:
        DatasetError: it cannot be read, or names a file outside its folder.
    """
    try:
        data = read_bounded(directory, MAX_BYTES)
        with quietly():
            named = _named(_records(data))
    except ImportError:
        raise DatasetError(
            f"{printable(directory)}: needs pydicom: pip install 'edge-cxr[dicom]'"
        ) from None
    except (ImageError, UnreadableError) as error:
        raise DatasetError(f"{printable(directory)}: {error}") from None
    for parts in named:
        yield _within(os.path.dirname(directory), parts, directory)


def _named(records: list[Dataset]) -> list[list[str]]:
    """What the image records refer to, part by part; deleted ones are left out."""
    images = [each for each in map(Values, records) if each.text("DirectoryRecordType") == "IMAGE"]
    used = [each for each in images if each.integer("RecordInUseFlag") != UNUSED]
    return [parts for each in used if (parts := each.texts("ReferencedFileID"))]


def _records(data: bytes) -> list[Dataset]:
    from pydicom import Dataset
    from pydicom.filereader import read_dataset, read_sequence

    if data[PREAMBLE : PREAMBLE + len(PREFIX)] != PREFIX:
        raise ImageError("is no DICOM directory")
    file = _Directory(data)
    file.seek(PREAMBLE + len(PREFIX))
    explicit = False, True  # little endian, and never deflated (PS3.10 8.6)
    with parsing(file):
        read_dataset(file, *explicit, stop_when=lambda tag, _vr, _length: tag >> 16 != META)
        found: Any = read_dataset(file, *explicit, specific_tags=[RECORDS])
        if RECORDS not in found:
            raise ImageError("is no DICOM directory: it has no records")
        items = found.get_item(RECORDS).value or ()
        if isinstance(items, bytes):
            file = _Directory(items)
            items = read_sequence(file, *explicit, len(items), "iso8859")
    return [item for item in items if isinstance(item, Dataset)]


def _within(folder: str, parts: list[str], directory: str) -> str:
    """The path of a file of the medium, in the case that it has where it is mounted."""
    strange = {"", ".", ".."} & set(parts) or any("/" in part or "\0" in part for part in parts)
    if strange or len(parts) > DEEPEST:
        raise _outside(parts, directory)
    path = os.path.join(folder, *parts)
    if not os.path.lexists(path):  # ISO 9660 is shown in lower case by some
        small = os.path.join(folder, *map(str.lower, parts))
        path = small if os.path.lexists(small) else path
    whole = os.path.realpath(folder)
    if os.path.commonpath([whole, os.path.realpath(path)]) != whole:
        raise _outside(parts, directory)
    return path


def _outside(parts: list[str], directory: str) -> DatasetError:
    name = printable("/".join(parts))[:80]
    return DatasetError(f"{printable(directory)}: names a file outside its folder: {name}")
