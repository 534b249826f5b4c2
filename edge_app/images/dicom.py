"""One DICOM file → one 8-bit radiograph, by the grayscale pipeline of the standard.

Sections of DICOM PS3.3 that the code follows:

- C.7.6.3 Image Pixel: samples are `Bits Stored` wide, signed where Pixel Representation is 1;
  C.7.6.3.1.2: the lowest value shows white in MONOCHROME1, black in MONOCHROME2.
- C.7.5.1.1.2 Pixel Padding Value: stored values that are no picture.
- C.11.1 Modality LUT: stored values → modality values, by a table or by slope and intercept.
- C.11.2 VOI LUT: modality values → display, by a table (C.11.2.1.1) or a window (C.11.2.1.2;
  C.11.2.1.3 for LINEAR_EXACT and SIGMOID).
- C.8.11.3 DX Image: Presentation LUT Shape is INVERSE for MONOCHROME1, IDENTITY for MONOCHROME2.
  It only repeats the Photometric Interpretation; acting on both would invert twice.

These steps run over the at most 65536 words that a sample can be stored as; the picture then
passes through one table. pydicom parses; its `apply_voi` wraps 8-bit tables of more than 256
entries and its `apply_windowing` turns a negative rescale slope upside down, so the steps are
here.
"""

from __future__ import annotations

import importlib.util
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import ImageError, MachineError, not_loaded
from edge_app.core.shortage import blamed
from edge_app.images.dicom_file import DicomFile, parse
from edge_app.images.dicom_kind import (
    known_modality,
    photometric_interpretation,
    pixel_aspect,
    require_radiograph,
    sop_class,
)
from edge_app.images.dicom_padding import Padding, find_padding
from edge_app.images.dicom_pixels import EXTRA, Form, Samples, read_samples, require_within
from edge_app.images.dicom_tables import Table, table, tables
from edge_app.images.dicom_values import Values, damaged
from edge_app.images.dicom_window import Levels, Range, Window, find_window, grays_in_use
from edge_app.images.radiograph import Limits, Radiograph, require_pixels
from edge_app.images.windowing import histogram, looked_up

FEWEST_GRAYS = 8
"""Gray levels between darkest and brightest pixel below which a picture shows nothing."""

FEW_GRAYS = 32
"""Gray levels below which a window leaves little of a picture that has as many values."""

ONE_GRAY = 0.99
"""Share of the pixels that a window may paint in one gray."""

LOOKED_AT = 1 << 16
"""Pixels that are looked at to see whether a window shows them."""

SHAPE_OF = {"MONOCHROME1": "INVERSE", "MONOCHROME2": "IDENTITY"}
"""The Presentation LUT Shape that belongs to a Photometric Interpretation (C.8.11.3.1)."""

_one_at_a_time = threading.Lock()


def decode(data: bytes, limits: Limits) -> Radiograph:
    """Decode a DICOM file's bytes to the picture its maker meant to be seen.

    Raises:
        ImageError: it is not one readable radiograph, or pydicom or a codec is not installed.
        MachineError: memory, descriptors or processes do not suffice, or a package does not load.
    """
    try:
        if importlib.util.find_spec("pydicom") is None:
            raise ImageError(f"is DICOM: {EXTRA}")
        with quietly():
            file = parse(data, limits)
            notes: list[str] = []
            form = require_radiograph(file, notes)
            require_pixels(*_size(file.header), limits)
            return _shown(file, read_samples(file, form, notes), notes)
    except ImageError:
        raise
    except ImportError as error:
        raise MachineError(not_loaded(error)) from None
    except Exception as error:  # unforeseen, with a message for programmers
        reason = "is a damaged DICOM file: its elements do not fit together"
        raise blamed(error, reason) from None


@contextmanager
def quietly() -> Iterator[None]:
    """Silence pydicom, which warns and logs about what this module reports in one line.

    Silencing it is process-wide, so one file at a time; memory stays that of one picture.
    """
    logger = logging.getLogger("pydicom")
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        level = logger.level
        logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            logger.setLevel(level)


def _size(header: Values) -> tuple[int, int]:
    """Columns and rows."""
    return header.integer("Columns") or 0, header.integer("Rows") or 0


def _shown(file: DicomFile, samples: Samples, notes: list[str]) -> Radiograph:
    """Modality LUT, VOI LUT and polarity: stored values → 8 bits, air dark."""
    header, form = file.header, samples.form
    padding = find_padding(header, form)
    require_within(samples, padding.words if padding else None)
    counts = _counted(samples, padding, notes) if padding else None
    modality = _modality(header, form)
    voi = _voi(header, modality, notes)
    if voi:
        # 256 equal parts of the display range: 8-bit pictures stored wider come back exactly.
        grays = np.clip(np.floor(voi.shares * 256), 0, 255).astype(np.uint8)
        window = voi.name
        _require_grays(samples, grays, padding, voi, modality, notes)
    else:
        if counts is None:
            counts = histogram(samples.words, form.reach)
        grays, window = grays_in_use(modality.levels, counts, notes)
    photometric = photometric_interpretation(header)
    inverted = photometric == "MONOCHROME1"
    if inverted:
        grays = 255 - grays
    if padding:
        grays[padding.words] = 0
    _compare_shape(header, photometric, notes)
    columns, rows = _size(header)
    facts = {
        "format": "DICOM",
        "width": columns,
        "height": rows,
        "bits": form.stored,
        "window": window,
        "inverted": inverted,
        "photometric": photometric,
        "transfer_syntax": file.syntax.name,
        "modality": known_modality(header),
        "sop_class": sop_class(header),
    }
    if aspect := pixel_aspect(header):
        facts["pixel_aspect"] = aspect
    return Radiograph(looked_up(grays, samples.words), facts, tuple(notes))


def _compare_shape(header: Values, photometric: str, notes: list[str]) -> None:
    """A note where Presentation LUT Shape contradicts Photometric Interpretation.

    dcmtk and Weasis then follow the shape, Orthanc's viewer the Photometric Interpretation; what
    is shown inverted is left to the input check.
    """
    shape = header.text("PresentationLUTShape")
    if shape in SHAPE_OF.values() and shape != SHAPE_OF[photometric]:
        notes.append(
            f"says Photometric Interpretation {photometric} and Presentation LUT Shape {shape}, "
            "which contradict each other: shown by the first"
        )


class Modality(NamedTuple):
    """Each word's modality value, and the levels to window where the file names no window."""

    values: NDArray[Any]
    levels: Levels


def _modality(header: Values, form: Form) -> Modality:
    """The Modality LUT, or slope and intercept."""
    stored = form.values()
    items = tables(header.items("ModalityLUTSequence"))
    if items:
        found = table(items[0], "Modality LUT", form.lowest, form.highest, form.signed)
        entries = found.at(stored)
        return Modality(entries, Levels(entries.astype(np.int32), Range(0, found.bits)))
    slope, intercept = header.number("RescaleSlope", 1), header.number("RescaleIntercept", 0)
    if slope == 0:
        damaged("its rescale slope is 0")
    zero = -intercept / slope
    levels = Levels(
        stored,
        Range(form.lowest, form.stored),
        form.signed,
        round(zero) if intercept and abs(zero) < 1 << 16 else None,
        descending=slope < 0,
    )
    values = stored * slope + intercept
    if not np.isfinite(values).all():
        damaged(f"its Rescale Slope {slope:g} and Intercept {intercept:g} are no scale")
    return Modality(values, levels)


class Voi(NamedTuple):
    """Each word's share of the display range, 0 to 1, and what gives it.

    Attributes:
        shares: one a word.
        name: for the facts.
        kind: VOI LUT or window.
    """

    shares: NDArray[np.float64]
    name: str
    kind: str


def _voi(header: Values, modality: Modality, notes: list[str]) -> Voi | None:
    """What the first VOI LUT, or the first window, makes of modality values.

    The standard allows either as an alternative: a note says if a table is unusable and a window is
    used instead.
    """
    items = tables(header.items("VOILUTSequence"))
    if not items:
        window = find_window(header, notes)
        return _windowed(window, modality) if window else None
    low, high = float(np.min(modality.values)), float(np.max(modality.values))
    try:
        found = table(items[0], "VOI LUT", low, high, low < 0)
    except ImageError as error:
        window = find_window(header, notes)
        if not window:
            raise
        notes.append(f"{error}: its window was used")
        return _windowed(window, modality)
    if len(items) > 1:
        notes.append(f"offers {len(items)} windows: the first was used")
    _compare_bits(found, notes)
    return Voi(found.shares(modality.values), f"VOI LUT of {found.bits} bits", "VOI LUT")


def _windowed(window: Window, modality: Modality) -> Voi:
    return Voi(window.shares(modality.values), str(window), "window")


def _compare_bits(found: Table, notes: list[str]) -> None:
    if found.declared_bits not in (None, found.bits):
        notes.append(
            f"calls the entries of its VOI LUT {found.declared_bits} bits: they have {found.bits}"
        )


def _counted(samples: Samples, padding: Padding, notes: list[str]) -> NDArray[np.int64]:
    """How many pixels have each word, without padding."""
    counts = histogram(samples.words, samples.form.reach)
    padding.tell(samples.form, counts, notes)
    counts[padding.words] = 0
    return counts


def _require_grays(
    samples: Samples,
    grays: NDArray[np.uint8],
    padding: Padding | None,
    voi: Voi,
    modality: Modality,
    notes: list[str],
) -> None:
    """Refuse a window or VOI LUT that lies outside of the picture; a note where it is too wide.

    Raises:
        ImageError: it paints nearly all of a picture that has contrast in one gray.
    """
    step = max(1, round((samples.words.size / LOOKED_AT) ** 0.5))
    words = samples.words[::step, ::step].reshape(-1)
    if padding:
        words = words[~padding.words[words]]
    if not len(words):
        return
    shown = np.bincount(grays[words], minlength=256)
    used = np.flatnonzero(shown)
    grays_apart = int(used[-1] - used[0])
    one_gray = shown.max() > ONE_GRAY * len(words) or grays_apart < FEWEST_GRAYS
    values = modality.values[words]
    low, high = float(values.min()), float(values.max())
    reach = f"{voi.name}, of values from {low:g} to {high:g}"
    if one_gray and high - low >= FEWEST_GRAYS:
        raise ImageError(
            f"its {voi.kind} shows one gray: {reach}: "
            "export it with a window that shows the picture"
        )
    different = int(np.count_nonzero(np.bincount(words)))
    if len(used) < min(FEW_GRAYS, different):
        notes.append(f"shows no more than {len(used)} grays by its {voi.kind}: {reach}")
