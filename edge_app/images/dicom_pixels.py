"""The samples of a DICOM image as they are stored, whatever their compression."""

from __future__ import annotations

import importlib.util
import math
from io import BytesIO
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import ImageError
from edge_app.core.shortage import blamed
from edge_app.images import dicom_frames, gdcm_process, jpeg, jpeg_scans
from edge_app.images.dicom_file import DicomFile
from edge_app.images.dicom_frames import EXTENDED, LOSSLESS, LS, Frame
from edge_app.images.dicom_values import damaged
from edge_app.images.windowing import histogram

EXTRA = "install the dicom extra with this environment's pip: pip install 'edge-cxr[dicom]'"

READ = (
    *("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"),  # JPEG Baseline, Extended
    *("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"),  # JPEG Lossless
    *("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"),  # JPEG-LS
    *("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"),  # JPEG 2000
)
"""Compressed transfer syntaxes; the codestream decides which codec decodes them."""

RLE = "1.2.840.10008.1.2.5"

GDCM = {
    EXTENDED: ("JPEG Extended", "1.2.840.10008.1.2.4.51"),
    LOSSLESS: ("JPEG Lossless", "1.2.840.10008.1.2.4.57"),
    LS: ("JPEG-LS", "1.2.840.10008.1.2.4.80"),
    None: ("JPEG 2000", "1.2.840.10008.1.2.4.90"),
}
"""What a codestream is that begins its frame with this marker, and what gdcm calls it."""

GRAY_TOLERANCE = 8 / 256
"""Share of the range by which the components of a gray picture may differ: JPEG's chroma noise."""

SAMPLE_PIXELS = 1 << 20

DEEP_COLOUR_PIXELS = 12_000_000
"""Of three components of more than 8 bits, for each of which gdcm takes more than 30 bytes."""


class Form(NamedTuple):
    """How a sample lies in its word (PS3.5 8.1.1).

    Attributes:
        allocated: bits of a word, 8 or 16.
        stored: bits of a sample.
        high: the highest one of them.
        signed: whether samples are in two's complement.
        overlay_bits: bits of the word that hold an overlay.
        used: the lowest bits of the word that any pixel uses; tables need be no longer.
    """

    allocated: int
    stored: int
    high: int
    signed: bool
    overlay_bits: int = 0
    used: int = 16

    @property
    def reach(self) -> int:
        """Bits of the words that a table of them has."""
        return min(self.allocated, self.used)

    @property
    def lowest(self) -> int:
        return -(1 << self.stored - 1) if self.signed else 0

    @property
    def highest(self) -> int:
        return self.lowest + (1 << self.stored) - 1

    @property
    def shift(self) -> int:
        """Unused bits below the sample: old files are left-aligned, with High Bit 15."""
        return self.high + 1 - self.stored

    @property
    def mask(self) -> int:
        """The bits of a word that hold the sample."""
        return ((1 << self.stored) - 1) << self.shift

    def values(self) -> NDArray[np.int32]:
        """The value that each of the 2**reach words stands for."""
        words = np.arange(1 << self.reach, dtype=np.int32)
        values = (words & self.mask) >> self.shift
        return values - ((values > self.highest).astype(np.int32) << self.stored)

    def unused(self) -> NDArray[np.int32]:
        """What each word holds in the bits that belong neither to a sample nor to an overlay."""
        words = np.arange(1 << self.reach, dtype=np.int32)
        return words & ~(self.mask | self.overlay_bits)

    @property
    def sign_bits(self) -> int:
        """What `unused` is of a negative sample whose sign is repeated up to the highest bit."""
        above = (1 << self.allocated) - (1 << self.high + 1)
        return above & ~self.overlay_bits


class Samples(NamedTuple):
    """Rows×Columns words, uint8 or uint16, and how samples lie in them.

    Attributes:
        words: as stored, with whatever the unused bits hold.
        form: where the sample is.
        decoded: whether a codec gave them: few know of signs, so that they cut them off.
    """

    words: NDArray[Any]
    form: Form
    decoded: bool


def read_samples(file: DicomFile, form: Form, notes: list[str]) -> Samples:
    """The samples of a file whose header has been found in order.

    Args:
        file: the file.
        form: how samples lie in their words.
        notes: get a line where there are more samples than the header declares.

    Raises:
        ImageError: they are damaged, or a codec is not installed.
    """
    words, form, decoded = _read(file, form, notes)
    used = int(np.bitwise_or.reduce(words, axis=None)).bit_length()
    return Samples(words, form._replace(used=max(used, form.high + 1)), decoded)


def _read(file: DicomFile, form: Form, notes: list[str]) -> Samples:
    header = file.header
    rows, columns = header.integer("Rows") or 0, header.integer("Columns") or 0
    if not file.encapsulated:
        if file.syntax.is_encapsulated:
            damaged(f"its pixels are not in fragments, as {file.syntax.name} has them")
        words = _native(file, rows, columns, form.allocated)
        _compare_size(file.pixels, words, notes)
        return Samples(words, form, decoded=False)
    parts = dicom_frames.fragments(file.pixels)
    if file.syntax == RLE:
        size = form.allocated // 8
        data = dicom_frames.unpacked_rle(parts, rows * columns, size)
        words = np.frombuffer(data, f"<u{size}").reshape(rows, columns)
        return Samples(words, form, decoded=False)
    frame = dicom_frames.described(dicom_frames.joined(parts))
    if (frame.rows, frame.columns) != (rows, columns) or frame.components not in (1, 3):
        damaged(
            f"declares {(rows, columns, 1)} rows, columns and samples, "
            f"its compressed pixels {frame.size}"
        )
    words = _decoded(frame, form, notes)
    if frame.signed and not form.signed:
        _require_no_signs(words)
    notes += _missing(frame, words)
    return Samples(words, _form_of(frame, form, words), decoded=True)


def _missing(frame: Frame, words: NDArray[Any]) -> list[str]:
    """A line on each sign that a JPEG lacks something; gdcm refuses data that end early."""
    if frame.marker in (None, LOSSLESS, LS):
        return []
    missing = jpeg_scans.missing(frame.data)
    notes = [missing] if missing else []
    if frame.bits == 8 and jpeg.ends_early(words[-1, -jpeg.BLOCK :]):
        samples = _by_pillow(frame, [])
        if missing or not jpeg.is_whole(
            frame.data,
            lambda other: np.array_equal(_by_pillow(frame._replace(data=other), []), samples),
        ):
            notes.append(jpeg.ENDS_EARLY)
    return notes


def _native(file: DicomFile, rows: int, columns: int, allocated: int) -> NDArray[Any]:
    size = allocated // 8
    needed = rows * columns * size
    if len(file.pixels) < needed:
        raise ImageError(
            f"is a truncated DICOM file: its pixel data has {len(file.pixels)} bytes, "
            f"not the {needed} of {columns}x{rows} pixels"
        )
    if len(file.pixels) >= 2 * needed:
        damaged(
            f"its pixel data has {len(file.pixels)} bytes, the {columns}x{rows} pixels of "
            f"{allocated} bits that it declares take {needed}"
        )
    if size == 1 and not file.little_endian and file.header.data("PixelData")[1] == "OW":
        pairs = np.frombuffer(file.pixels[: len(file.pixels) & ~1], np.uint8).reshape(-1, 2)
        words = pairs[:, ::-1].reshape(-1)[: rows * columns]
    else:
        order = "<" if file.little_endian else ">"
        words = np.frombuffer(file.pixels, f"{order}u{size}", count=rows * columns)
    words = words.reshape(rows, columns)
    return words.astype(words.dtype.newbyteorder("="), copy=False)


def _compare_size(pixels: bytes, words: NDArray[Any], notes: list[str]) -> None:
    """A note where more is left behind the picture than zeros, or one byte that makes it even."""
    more = len(pixels) - words.nbytes
    if more > 1 and pixels[-more:].strip(b"\0"):
        notes.append(
            f"has {len(pixels)} bytes of pixels, and its Rows and Columns take {words.nbytes}: "
            "they may be wrong, and a part of the picture missing"
        )


def _form_of(frame: Frame, form: Form, words: NDArray[Any]) -> Form:
    """How samples lie in what a codec gave: at the right, unless the frame has their old place."""
    left_aligned = form.shift and frame.bits > form.stored
    high = form.high if left_aligned else form.stored - 1
    return form._replace(allocated=8 * words.itemsize, high=high)


def _decoded(frame: Frame, form: Form, notes: list[str]) -> NDArray[Any]:
    """Rows×Columns words of 16 bits, or of 8 where the header has these and they suffice."""
    deep_colour = frame.components == 3 and frame.bits > 8
    deep_extended = frame.marker == EXTENDED and frame.bits > 8
    if deep_colour and frame.rows * frame.columns > DEEP_COLOUR_PIXELS:
        raise ImageError(
            f"is compressed as colour of {frame.bits} bits and more than {DEEP_COLOUR_PIXELS} "
            "pixels, though it is gray: export it uncompressed"
        )
    if frame.bits > 16:
        raise ImageError(f"is compressed with {frame.bits} bits a sample: 8 to 16 are read")
    if frame.marker in (LOSSLESS, LS) or deep_extended or (frame.marker is None and deep_colour):
        samples = _by_gdcm(frame)
    else:
        samples = _by_pillow(frame, notes)
    if samples.ndim == 3:
        samples = _gray(samples, frame.bits)
    words = samples.astype(np.uint16 if form.allocated == 16 else samples.dtype, copy=False)
    return np.ascontiguousarray(words)


def _by_pillow(frame: Frame, notes: list[str]) -> NDArray[Any]:
    """The samples of a JPEG of 8 bits or of a JPEG 2000, as (u)int8 or (u)int16 in a word.

    `notes` get a line where a JPEG has more data than its samples take.
    """
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # the header's size is held to our own limit, the frame's to it
    kind = "JPEG 2000" if frame.marker is None else "JPEG"
    source = BytesIO(frame.data) if frame.marker is None else jpeg.Watched(frame.data)
    try:
        image = Image.open(source, formats=("JPEG", "JPEG2000"))
        samples = np.asarray(image)
    except Exception as error:  # its decoders raise almost anything on a broken codestream
        raise blamed(error, f"its {kind} pixels are damaged or truncated") from None
    expected = frame.size[:2] + ((3,) if frame.components == 3 else ())
    if samples.shape != expected or samples.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"its {kind} pixels cannot be decoded: export it uncompressed")
    if isinstance(source, jpeg.Watched):
        notes += [jpeg.ENDS_LATE] if source.ends_late else []
        return samples
    # OpenJPEG's samples fill Pillow's bytes or words from the top, and are made unsigned.
    samples = samples >> samples.dtype.type(8 * samples.itemsize - frame.bits)
    if frame.signed:
        samples = (samples.astype(np.int32) - (1 << frame.bits - 1)).astype(np.int16)
        return samples.view(np.uint16)
    return samples


def _gray(samples: NDArray[Any], bits: int) -> NDArray[Any]:
    """One component of three that are alike, as a gray picture saved in colour has them."""
    first = samples[..., 0].astype(np.int32)
    tolerance = GRAY_TOLERANCE * (1 << bits)
    if any(np.abs(samples[..., other] - first).max() > tolerance for other in (1, 2)):
        raise ImageError(
            "has three components of colour in its compressed pixels, "
            "though its Photometric Interpretation says that it is gray"
        )
    return samples[..., 1]


def _by_gdcm(frame: Frame) -> NDArray[Any]:
    name, syntax = GDCM[frame.marker]
    if importlib.util.find_spec("gdcm") is None:
        raise ImageError(f"is compressed as {name}: {EXTRA}")
    allocated = 8 if frame.bits <= 8 else 16
    shape = (frame.rows, frame.columns, *((3,) if frame.components == 3 else ()))
    job = gdcm_process.Job(
        syntax,
        "RGB" if frame.components == 3 else "MONOCHROME2",
        *(frame.columns, frame.rows, frame.components, allocated, frame.bits),
    )
    content = gdcm_process.decoded(frame.data, job, name)
    if content is None or len(content) != math.prod(shape) * allocated // 8:
        raise ImageError(f"its {name} pixels are damaged or truncated")
    return np.frombuffer(content, f"<u{allocated // 8}").reshape(shape)


def require_within(samples: Samples, padding: NDArray[np.bool_] | None) -> None:
    """Refuse samples that reach beyond Bits Stored: cut to these bits, they would wrap round.

    Unused bits are 0, or repeat the sign of a negative sample; overlays in them are not counted,
    nor are words that are padding.

    Args:
        samples: of the picture.
        padding: which of the 2**reach words are padding; None where none is declared.

    Raises:
        ImageError: there are such samples.
    """
    form, words = samples.form, samples.words
    cut_signs = form.signed and (samples.decoded or form.high + 1 < form.allocated)
    bits_in_use = int(np.bitwise_or.reduce(words, axis=None))
    if not bits_in_use & ~(form.mask | form.overlay_bits):
        if cut_signs and bits_in_use >> form.high & 1:
            _require_signs(words, form, padding)
        return
    if form.signed and not form.shift and form.allocated == 8 * words.itemsize:
        signed = words.view(f"i{words.itemsize}")
        if form.lowest <= signed.min() and signed.max() <= form.highest:
            return
    used = histogram(words, form.reach) > 0
    if padding is not None:
        used &= ~padding
    unused, negative = form.unused(), form.values() < 0
    if (used & (unused & ((1 << form.shift) - 1) > 0)).any():
        raise ImageError(
            f"says High Bit {form.high} of {form.stored} Bits Stored, "
            f"but uses the {form.shift} bits below them"
        )
    extended = negative & (unused == form.sign_bits) & (unused > 0)
    beyond = used & (unused > 0) & ~extended
    # Where some negative samples repeat their sign, the others reach beyond their bits.
    if (used & extended).any():
        beyond |= used & negative & ~extended
    elif cut_signs and (used & negative).any():
        _require_signs(words, form, padding)
    if beyond.any():
        _refuse_beyond(form)


def _refuse_beyond(form: Form) -> NoReturn:
    raise ImageError(f"holds values beyond its {form.stored} bits")


def _require_signs(words: NDArray[Any], form: Form, padding: NDArray[np.bool_] | None) -> None:
    """Refuse samples whose highest bit is no sign, though they are said to be signed.

    Unused bits that are all 0 leave two readings: negative samples cut to Bits Stored, or samples
    too large for them.
    """
    rows = _first_rows(words)
    signed, unsigned = form.values()[rows], (rows.astype(np.int32) & form.mask) >> form.shift
    shown = signed != form.lowest
    if padding is not None:
        shown &= ~padding[rows]
    if _steps(signed, shown) > _steps(unsigned, shown):
        _refuse_beyond(form)


def _require_no_signs(words: NDArray[Any]) -> None:
    """Refuse samples that are signed by their codestream, and in truth, but not by the header."""
    rows = _first_rows(words)
    signed = rows.view(f"i{rows.itemsize}")
    shown = signed != np.iinfo(signed.dtype).min
    if _steps(rows, shown) > _steps(signed, shown):
        raise ImageError(
            "has signed samples in its JPEG 2000 codestream, which its Pixel Representation calls "
            "unsigned: export it uncompressed"
        )


def _first_rows(words: NDArray[Any]) -> NDArray[Any]:
    """Two at least, which suffice to tell how samples are to be read."""
    return words[: max(2, SAMPLE_PIXELS // max(1, words.shape[1]))]


def _steps(values: NDArray[Any], shown: NDArray[np.bool_]) -> int:
    """Between neighbours, summed: a picture read the wrong way has steps of the whole range.

    Padding, often the lowest value, is not shown: a step to it says nothing of the picture.
    """
    steps = np.abs(np.diff(values.astype(np.int32)))
    return int(steps[shown[:, 1:] & shown[:, :-1]].sum())


def is_read(syntax: str) -> bool:
    """Whether pixels compressed so are read."""
    return syntax in READ or syntax == RLE
