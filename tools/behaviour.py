"""Record what `edge-cxr` does as its users see it, and compare two such recordings.

    python tools/behaviour.py record --python PYTHON OUT_DIR [--data NIH_SUBSET] [--files DIR]
    python tools/behaviour.py compare BEFORE_DIR AFTER_DIR

`record` draws good and broken input files, runs every command on them as `PYTHON -m edge_app …`,
and writes what came out, one readable text file a case. It imports nothing of the packages it
watches, so that the same script runs against any version of them. `--files DIR` keeps the drawn
files there and finds them again: name the same folder for both recordings, then another Pillow or
pydicom in the driving Python makes no difference. `--pythonpath DIR` records the checkout in DIR
through an environment that was made for another one.

Both recordings belong on one machine: its name, its memory and its packages are in the answers.
What varies between two runs of one version is replaced before it is written; see `NORMALISED` and
`Places.replace`. Nothing else is.
"""

from __future__ import annotations

import argparse
import difflib
import fnmatch
import hashlib
import importlib
import io
import json
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

REPOSITORY: Final = Path(__file__).resolve().parents[1]
SUBSET: Final = REPOSITORY.parent / "shared" / "data" / "nih-chestxray14-subset"

LITE, CNN = "cxr-lite0-128", "cxr-cnn28"
MODELS: Final = (LITE, CNN)
POINTS: Final = ("balanced", "screening", "rule-in")

LABELS: Final = (
    *("Atelectasis", "Consolidation", "Infiltration", "Pneumothorax", "Edema", "Emphysema"),
    *("Fibrosis", "Effusion", "Pneumonia", "Pleural_Thickening", "Cardiomegaly", "Nodule"),
    *("Hernia", "Mass", "No Finding"),
)

AT_ONCE: Final = 2
"""Cases that run side by side."""

SECONDS: Final = 300
"""After so long a command is ended, and its case says so."""

FINISHED: Final = "drawn"
"""Stands in a folder of drawn files that is complete."""

NORMALISED: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "how long a trial took, in JSON: one number for each count of threads",
        r'("milliseconds": \{)[^}]*\}',
        r"\1…}",
    ),
    (
        "the same in the doctor's table, with what fills the line",
        r"took [\d.]+ ms with 1(?:, [\d.]+ ms with \d+)* thread\(s\) *",
        "took … ms with … thread(s)",
    ),
    (
        "the threads that were fastest when tried, in JSON; those asked for stay",
        r'"threads": \d+(,\s*"why": \{[^}]*"threads": "fastest of)',
        r'"threads": …\1',
    ),
    (
        "the same in the doctor's table",
        r"(ready: .*, threads: )\d+",
        r"\1…",
    ),
    (
        "the seconds since its start with which OpenCV begins a line",
        r"\[ *(WARN|ERROR|INFO|DEBUG):\d+@[\d.]+\]",
        r"[\1]",
    ),
    (
        "what else the machine did while a benchmark measured; its `warnings` have it as well",
        r"edge-cxr: the (?:machine was busy|hypervisor kept|wall clock went astray).*\n",
        "",
    ),
)
"""What is replaced, why, and by what: everything that differs between runs of one version."""

Pixels = NDArray[Any]


# Pictures


def chest(width: int = 256, height: int = 256) -> NDArray[np.uint8]:
    """The repository's synthetic radiograph at another size."""
    with Image.open(REPOSITORY / "examples" / "synthetic-radiograph.png") as image:
        gray = image.convert("L").resize((width, height), Image.Resampling.BOX)
    return np.asarray(gray)


def another_chest(seed: int, side: int = 96) -> NDArray[np.uint8]:
    """A copy that is shifted, brightened, of other contrast and noisy: no two score the same."""
    random = np.random.default_rng([7, seed])
    picture = chest(side + 16, side + 16).astype(np.float64) / 255
    top, left = random.integers(0, 17, 2)
    picture = picture[top : top + side, left : left + side]
    picture = picture ** random.uniform(0.6, 1.6) * random.uniform(0.8, 1.0)
    picture = picture + random.normal(0, random.uniform(0.005, 0.05), picture.shape)
    return np.clip(np.rint(picture * 255), 0, 255).astype(np.uint8)


def deep(picture: Pixels, bits: int) -> NDArray[np.uint16]:
    """8 bits spread over more, with something in the lowest."""
    return ((picture.astype(np.uint16) << (bits - 8)) | (picture >> 4)).astype(np.uint16)


def tinted(picture: Pixels) -> Image.Image:
    """In colour, which shows in the luma."""
    channels = [picture, picture * 0.7, picture * 0.4 + 40]
    return Image.fromarray(np.dstack(channels).astype(np.uint8))


def half_alpha(picture: Pixels) -> NDArray[np.uint8]:
    alpha = np.full(picture.shape, 255, np.uint8)
    alpha[:, picture.shape[1] // 2 :] = 60
    return alpha


def saved(picture: Pixels | Image.Image, format: str, **options: Any) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_file(
    size: tuple[int, int],
    packed: bytes,
    *,
    bits: int = 8,
    colour: int = 0,
    interlaced: bool = False,
    before: bytes = b"",
) -> bytes:
    """A PNG of deflated rows; its header may promise anything."""
    header = struct.pack(">IIBBBBB", *size, bits, colour, 0, 0, int(interlaced))
    body = chunk(b"IHDR", header) + before + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


PASSES: Final = (
    *((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)),
    *((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)),
)
"""Of an interlaced PNG: first row and column, and the steps of both."""


def png(samples: Pixels, colour: int = 0, interlaced: bool = False, before: bytes = b"") -> bytes:
    """What Pillow does not write: interlaced, and 16 bits in colour."""
    stored = samples.astype(samples.dtype.newbyteorder(">"))
    parts = [stored]
    if interlaced:
        parts = [stored[top::down, left::right] for top, left, down, right in PASSES]
    rows = b"".join(b"\0" + row.tobytes() for part in parts if part.size for row in part)
    return png_file(
        (samples.shape[1], samples.shape[0]),
        zlib.compress(rows),
        bits=8 * samples.itemsize,
        colour=colour,
        interlaced=interlaced,
        before=before,
    )


def png_few_bits(picture: Pixels, bits: int) -> bytes:
    """A gray PNG of 1, 2 or 4 bits."""
    levels = (picture >> (8 - bits)).astype(np.uint8)
    each = np.unpackbits(levels[..., np.newaxis], axis=2)[..., 8 - bits :]
    rows = np.packbits(each.reshape(len(picture), -1), axis=1)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return png_file((picture.shape[1], picture.shape[0]), packed, bits=bits)


def tiff(
    samples: Pixels, order: Literal["<", ">"] = "<", photometric: int = 1, turn: int = 1
) -> bytes:
    """A gray TIFF of one strip; photometric 0 is white at zero."""
    data = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    height, width = samples.shape
    tags = {256: width, 257: height, 258: 8 * samples.itemsize, 259: 1, 262: photometric}
    tags |= {273: 8 + 2 + 12 * 10 + 4, 274: turn, 277: 1, 278: height, 279: len(data)}
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, len(tags))
    return head + entries + bytes(4) + data


def exif(orientation: int) -> bytes:
    entry = struct.pack("<HHI", 0x0112, 3, 1) + struct.pack("<I", orientation)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)


def photograph(picture: Pixels, surroundings: int, seed: int, turns: int = 0) -> Image.Image:
    """A film before something evenly bright, seen askew and with a little noise."""
    random = np.random.default_rng([11, seed])
    film = Image.fromarray(np.rot90(20 + picture * 0.8, turns).astype(np.uint8))
    width, height = 480, 600
    rim = np.array([[90, 100], [390, 110], [410, 500], [80, 480]]) + random.uniform(-15, 15, (4, 2))
    corners = np.array([[0, 0], [film.width, 0], [film.width, film.height], [0, film.height]])
    rows: list[list[float]] = []
    for (x, y), (u, v) in zip(rim, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    matrix = np.linalg.solve(np.array(rows), corners.reshape(-1).astype(float))
    how = (Image.Transform.PERSPECTIVE, tuple(matrix), Image.Resampling.BILINEAR)
    seen = np.asarray(film.transform((width, height), *how), np.float64)
    cover = Image.new("L", film.size, 255).transform((width, height), *how)
    scene = np.where(np.asarray(cover) > 127, seen, surroundings)
    scene = scene + random.normal(0, 2, scene.shape)
    return Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8)).convert("RGB")


Files = dict[str, bytes]


def png_files() -> Files:
    picture, two_bytes = chest(), deep(chest(), 16)
    gray = Image.fromarray(picture)
    rgb, colour = gray.convert("RGB"), tinted(picture)
    rgba, la = rgb.copy(), gray.convert("LA")
    opaque = np.full_like(picture, 255)
    rgba.putalpha(Image.fromarray(half_alpha(picture)))
    la.putalpha(Image.fromarray(half_alpha(picture)))
    solid = rgb.copy()
    solid.putalpha(Image.fromarray(opaque))
    reversed_palette = Image.fromarray(255 - picture).convert("P")
    reversed_palette.putpalette([255 - index // 3 for index in range(768)])
    plain_palette = gray.convert("P")
    plain = saved(gray, "PNG")
    place = plain.index(b"IDAT")
    rows = b"".join(b"\0" + row.tobytes() for row in picture)
    packed, size = zlib.compress(rows), (256, 256)
    wrong_filter = zlib.compress(b"\7" + rows[1:])
    return {
        "png-gray8.png": plain,
        "png-gray8-1024.png": saved(chest(1024, 1024), "PNG"),
        "png-gray16.png": saved(two_bytes, "PNG"),
        "png-gray16-of-12.png": png(deep(picture, 12)),
        "png-gray16-of-10.png": png(deep(picture, 10)),
        "png-gray16-of-8.png": png(picture.astype(np.uint16)),
        "png-gray16-faint.png": png(picture.astype(np.uint16) + 30_000),
        "png-gray16-interlaced.png": png(two_bytes, interlaced=True),
        "png-gray8-interlaced.png": png(picture, interlaced=True),
        "png-gray4.png": png_few_bits(picture, 4),
        "png-gray2.png": png_few_bits(picture, 2),
        "png-gray1.png": saved(Image.fromarray(picture > 110), "PNG"),
        "png-rgb-gray.png": saved(rgb, "PNG"),
        "png-rgb-colour.png": saved(colour, "PNG"),
        "png-rgb-interlaced.png": png(np.dstack([picture] * 3), 2, interlaced=True),
        "png-rgb16.png": png(np.dstack([two_bytes] * 3), 2),
        "png-rgb16-of-12.png": png(np.dstack([deep(picture, 12)] * 3), 2),
        "png-rgba-opaque.png": saved(solid, "PNG"),
        "png-rgba-half.png": saved(rgba, "PNG"),
        "png-rgba16.png": png(np.dstack([two_bytes] * 3 + [np.full_like(two_bytes, 65535)]), 6),
        "png-la-half.png": saved(la, "PNG"),
        "png-la16.png": png(np.dstack([two_bytes, np.full_like(two_bytes, 65535)]), 4),
        "png-palette.png": saved(plain_palette, "PNG"),
        "png-palette-reversed.png": saved(reversed_palette, "PNG"),
        "png-palette-transparent.png": saved(plain_palette, "PNG", transparency=77),
        "png-gray-key.png": saved(gray, "PNG", transparency=77),
        "png-animated.png": saved(rgb, "PNG", save_all=True, append_images=[colour]),
        "png-exif-6.png": saved(gray.rotate(90, expand=True), "PNG", exif=exif(6)),
        "png-exif-9.png": saved(gray, "PNG", exif=exif(9)),
        "png-exif-broken.png": saved(gray, "PNG", exif=b"Exif\0\0no such thing"),
        "png-exif-cut.png": saved(gray, "PNG", exif=b"Exif\0\0II*\0\xff"),
        "png-gamma.png": png(picture, before=chunk(b"gAMA", struct.pack(">I", 100_000))),
        "png-text.png": png(picture, before=chunk(b"tEXt", b"Comment\0\x1b[31mred")),
        "png-bad-ztxt.png": png(picture, before=chunk(b"zTXt", b"Comment\0\0nothing packed")),
        "png-after-its-end.png": plain + b"and more",
        "png-no-end.png": plain[:-12],
        "png-crc-of-pixels.png": plain[: place + 9] + b"\0" + plain[place + 10 :],
        "png-crc-of-header.png": plain[:29] + bytes(4) + plain[33:],
        "png-unknown-critical.png": png(picture, before=chunk(b"ABCD", b"?")),
        "png-wrong-filter.png": png_file(size, wrong_filter),
        "png-too-few-rows.png": png_file(size, zlib.compress(rows[: len(rows) // 2])),
        "png-too-many-rows.png": png_file(size, zlib.compress(rows * 2)),
        "png-adler.png": png_file(size, packed[:-4] + bytes(4)),
        "png-not-deflated.png": png_file(size, b"nothing packed"),
        "png-empty-idat.png": png_file(size, b""),
        "png-no-width.png": png_file((0, 256), packed),
        "png-vast.png": png_file((30_000, 30_000), packed),
        "png-wide-vast.png": png_file((70_000, 10), packed),
        "png-3-bits.png": png_file(size, packed, bits=3),
        "png-colour-type-5.png": png_file(size, packed, colour=5),
        "png-signature-only.png": plain[:8],
        "png-header-only.png": plain[:33],
    }


def jpeg_files() -> Files:
    gray = Image.fromarray(chest())
    large = Image.fromarray(chest(1024, 1024))
    colour = tinted(chest())
    plain = saved(gray, "JPEG", quality=90)
    turned: dict[int, Image.Image] = {
        3: gray.rotate(180),
        5: gray.transpose(Image.Transpose.TRANSPOSE),
        6: gray.rotate(90, expand=True),
        8: gray.rotate(-90, expand=True),
    }
    return {
        "jpeg-gray.jpg": plain,
        "jpeg-gray-50.jpeg": saved(gray, "JPEG", quality=50),
        "jpeg-gray-1024.jpg": saved(large, "JPEG", quality=90),
        "jpeg-gray-1000.jpg": saved(large.resize((1000, 1000)), "JPEG", quality=90),
        "jpeg-gray-1021.jpg": saved(large.resize((1021, 1021)), "JPEG", quality=90),
        "jpeg-progressive-1024.jpg": saved(large, "JPEG", quality=90, progressive=True),
        "jpeg-rgb.jpg": saved(gray.convert("RGB"), "JPEG", quality=90),
        "jpeg-rgb-colour.jpg": saved(colour, "JPEG", quality=90),
        "jpeg-rgb-444.jpg": saved(colour, "JPEG", quality=90, subsampling=0),
        "jpeg-cmyk.jpg": saved(gray.convert("RGB").convert("CMYK"), "JPEG", quality=90),
        "jpeg-progressive.jpg": saved(gray, "JPEG", quality=90, progressive=True),
        "jpeg-optimised.jpg": saved(gray, "JPEG", quality=90, optimize=True),
        "jpeg-restarts.jpg": saved(gray, "JPEG", quality=90, restart_marker_rows=2),
        "jpeg-comment.jpg": saved(gray, "JPEG", quality=90, comment=b"\x1b[31mred"),
        "jpeg-mpo.jpg": saved(gray, "MPO", save_all=True, append_images=[gray]),
        **{
            f"jpeg-exif-{number}.jpg": saved(image, "JPEG", quality=95, exif=exif(number))
            for number, image in turned.items()
        },
        "jpeg-exif-broken.jpg": saved(gray, "JPEG", exif=b"Exif\0\0no such thing"),
        "jpeg-after-its-end.jpg": plain + b"and more",
        "jpeg-no-end.jpg": plain[:-2],
        "jpeg-start-only.jpg": plain[:3],
    }


def tiff_files() -> Files:
    picture = chest()
    gray, two_bytes = Image.fromarray(picture), deep(picture, 16)
    save = partial(saved, format="TIFF")
    rgba = tinted(picture)
    rgba.putalpha(Image.fromarray(half_alpha(picture)))
    plain = tiff(picture)
    return {
        "tiff-8.tif": save(gray),
        "tiff-8-lzw.tif": save(gray, compression="tiff_lzw"),
        "tiff-8-packbits.tiff": save(gray, compression="packbits"),
        "tiff-8-jpeg.tif": save(gray, compression="jpeg"),
        "tiff-8-big-endian.tif": tiff(picture, ">"),
        "tiff-8-white-is-zero.tif": tiff(255 - picture, photometric=0),
        "tiff-8-turned.tif": tiff(np.rot90(picture), turn=6),
        "tiff-16.tif": tiff(two_bytes),
        "tiff-16-of-12.tif": tiff(deep(picture, 12)),
        "tiff-16-deflate.tif": save(two_bytes, compression="tiff_adobe_deflate"),
        "tiff-16-big-endian.tif": tiff(two_bytes, ">"),
        "tiff-16-white-is-zero.tif": tiff(65535 - two_bytes, photometric=0),
        "tiff-16-big-endian-white-is-zero.tif": tiff(65535 - two_bytes, ">", photometric=0),
        "tiff-32.tif": save(picture.astype(np.int32) * 1000),
        "tiff-32-small.tif": save(picture.astype(np.int32)),
        "tiff-float.tif": save(picture.astype(np.float32)),
        "tiff-1-group4.tif": save(Image.fromarray(picture > 110), compression="group4"),
        "tiff-rgb.tif": save(gray.convert("RGB")),
        "tiff-rgba.tif": save(rgba),
        "tiff-cmyk.tif": save(gray.convert("RGB").convert("CMYK")),
        "tiff-palette.tif": save(gray.convert("P")),
        "tiff-two-pages.tif": save(gray, save_all=True, append_images=[tinted(picture)]),
        "tiff-big.tif": save(gray, big_tiff=True),
        "tiff-strip-beyond.tif": plain.replace(struct.pack("<I", 134), struct.pack("<I", 1 << 30)),
        "tiff-head-only.tif": plain[:8],
    }


def other_rasters() -> Files:
    picture = chest()
    gray, colour = Image.fromarray(picture), tinted(picture)
    rgba = gray.convert("RGB")
    rgba.putalpha(Image.fromarray(half_alpha(picture)))
    return {
        "bmp-gray.bmp": saved(gray, "BMP"),
        "bmp-rgb.bmp": saved(gray.convert("RGB"), "BMP"),
        "bmp-1.bmp": saved(Image.fromarray(picture > 110), "BMP"),
        "bmp-palette.bmp": saved(gray.convert("P"), "BMP"),
        "webp-lossless.webp": saved(gray.convert("RGB"), "WEBP", lossless=True),
        "webp-lossy.webp": saved(gray.convert("RGB"), "WEBP", quality=80),
        "webp-colour.webp": saved(colour, "WEBP", lossless=True),
        "webp-alpha.webp": saved(rgba, "WEBP", lossless=True, exact=True),
        "webp-exif-6.webp": saved(
            gray.rotate(90, expand=True).convert("RGB"), "WEBP", lossless=True, exif=exif(6)
        ),
        "webp-animated.webp": saved(
            colour, "WEBP", save_all=True, append_images=[gray.convert("RGB")], lossless=True
        ),
    }


def geometry_files() -> Files:
    """Sizes, shapes, exposures and subjects that a network was not made for."""
    picture = chest()
    random = np.random.default_rng(3)
    x, y = np.meshgrid(np.arange(256), np.arange(256))
    pictures: dict[str, Pixels] = {
        "1x1": picture[:1, :1],
        "2x2": picture[::128, ::128],
        "1x300": chest(1, 300),
        "300x1": chest(300, 1),
        "16x16": chest(16, 16),
        "28x28": chest(28, 28),
        "64x64": chest(64, 64),
        "127x129": chest(127, 129),
        "128x128": chest(128, 128),
        "320x200": chest(320, 200),
        "200x320": chest(200, 320),
        "500x200": chest(500, 200),
        "3000x30": chest(3000, 30),
        "2x65000": np.repeat(chest(2, 1000), 65, axis=0),
        "blank-black": np.zeros((64, 64), np.uint8),
        "blank-gray": np.full((64, 64), 128, np.uint8),
        "blank-white": np.full((64, 64), 255, np.uint8),
        "nearly-blank": np.full((64, 64), 128, np.uint8) + (picture[:64, :64] > 120),
        "inverted": 255 - picture,
        "turned-90": np.rot90(picture),
        "turned-180": np.rot90(picture, 2),
        "turned-270": np.rot90(picture, 3),
        "upside-down": picture[::-1],
        "mirrored": picture[:, ::-1],
        "left-half": picture[:, :128],
        "middle": picture[85:170, 85:170],
        "framed": np.pad(picture, 80),
        "overexposed": np.minimum(picture.astype(int) * 3, 255).astype(np.uint8),
        "underexposed": picture // 8,
        "low-contrast": picture // 32 + 120,
        "noise": random.integers(0, 256, (128, 128), np.uint8),
        "gradient": x.astype(np.uint8),
        "checks": ((x // 16 + y // 16) % 2 * 255).astype(np.uint8),
    }
    return {
        f"shape-{name}.png": saved(np.ascontiguousarray(each).astype(np.uint8), "PNG")
        for name, each in pictures.items()
    }


def damaged_files(good: Files) -> Files:
    """Each of some kinds cut at several places, and with some bytes changed."""
    kinds = (
        *("png-gray8.png", "png-gray16.png", "jpeg-gray.jpg", "jpeg-progressive.jpg"),
        *("tiff-8-lzw.tif", "bmp-gray.bmp", "webp-lossy.webp", "dicom-12.dcm"),
        *("dicom-rle.dcm", "dicom-jpeg2000.dcm"),
    )
    random = np.random.default_rng(5)
    found: Files = {}
    for kind in kinds:
        mutations = random.integers(0, 1 << 32, (3, 6), np.uint64)
        if kind not in good:
            continue
        data, (stem, suffix) = good[kind], kind.split(".")
        for share in (0.02, 0.4, 0.95):
            found[f"cut-{stem}-{share}.{suffix}"] = data[: int(share * len(data))]
        found[f"cut-{stem}-last.{suffix}"] = data[:-1]
        for number, row in enumerate(mutations):
            broken = bytearray(data)
            for value in map(int, row[: 2 * number + 2]):
                broken[value % len(data)] ^= 1 + (value >> 20) % 255
            found[f"mutated-{stem}-{number}.{suffix}"] = bytes(broken)
    return found


def foreign_files() -> Files:
    gray = Image.fromarray(chest(64, 64))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(zipfile.ZipInfo("a.png"), saved(gray, "PNG"))
    return {
        "foreign.gif": saved(gray, "GIF"),
        "foreign.pgm": saved(gray, "PPM"),
        "foreign.ico": saved(gray, "ICO"),
        "foreign.jp2": saved(gray, "JPEG2000"),
        "foreign.pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
        "foreign.svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>\n',
        "foreign.txt": b"A line of text.\n",
        "foreign.json": b'{"file": "a.png"}\n',
        "foreign.zip": archive.getvalue(),
        "foreign.npy": b"\x93NUMPY\1\0" + bytes(120),
        "empty.png": b"",
        "empty": b"",
        "one-byte.png": b"\x89",
        "zeros.png": bytes(1000),
        "text.png": b"A line of text.\n",
        "dicm-only.dcm": bytes(128) + b"DICM",
        "riff-only.webp": b"RIFF",
        "bm-only.bmp": b"BM",
        "dicom-without-preamble.dcm": b"\x08\0\x60\0CS\x02\0CR",
    }


NAMES: Final = (
    *(b"name with spaces.png", b"name\nof two lines.png", b"name\x1b[31mred.png"),
    *(b"name\x80\xff.png", "name-r\u00f6ntgen-\u80ba.png".encode(), b"-name-with-dash.png"),
    *(b"name'quoted\".png", b"name[bold]marked[/bold].png", b"name%s{0}.png", b"name,comma;.png"),
    *(b"name-" + b"x" * 245 + b".png", b"name-without-suffix", b".name-hidden.png"),
    *("name\u202eleft.png".encode(), b"name\\.png", b"name=1+1.png"),
)
"""What a file may be called on Linux."""


def misnamed_files(good: Files) -> Files:
    suffixes = {
        "misnamed-png.jpg": "png-gray8.png",
        "misnamed-jpeg.png": "jpeg-gray.jpg",
        "misnamed-tiff.bmp": "tiff-8.tif",
        "misnamed-png.dcm": "png-gray8.png",
        "misnamed-dicom.png": "dicom-12.dcm",
        "misnamed-webp.tif": "webp-lossless.webp",
        "misnamed-png.txt": "png-gray8.png",
    }
    found = {name: good[kind] for name, kind in suffixes.items() if kind in good}
    small = saved(chest(64, 64), "PNG")
    return found | {os.fsdecode(name): small for name in NAMES}


# DICOM


def module(name: str) -> Any | None:
    """A package that need not be installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


EXPLICIT, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
JPEG_8, JPEG_2000, RLE = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"


def dicom(stored: Pixels, bits: int, syntax: str = EXPLICIT, **values: Any) -> bytes:
    """A DICOM file; `values` are elements by keyword, None to leave one out."""
    pydicom, uid = importlib.import_module("pydicom"), importlib.import_module("pydicom.uid").UID
    raw = stored.astype(stored.dtype.newbyteorder(">" if syntax == BIG else "<")).tobytes()
    elements: dict[str, Any] = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1",
        "SOPInstanceUID": "1.2.826.0.1.3680043.8.498.1",
        "PatientName": "Doe^Jane",
        "PatientID": "4711",
        "Modality": "CR",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": stored.shape[0],
        "Columns": stored.shape[1],
        "BitsAllocated": 8 * stored.itemsize,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(stored.dtype.kind == "i"),
        "PixelData": raw + b"\0" * (len(raw) % 2),
    } | values
    dataset = pydicom.Dataset()
    dataset.file_meta = importlib.import_module("pydicom.dataset").FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid(syntax)
    for keyword, value in elements.items():
        if value is not None:
            setattr(dataset, keyword, value)
    if "PixelData" in dataset:
        packed = uid(syntax).is_encapsulated
        dataset["PixelData"].VR = "OB" if packed or stored.itemsize == 1 else "OW"
        dataset["PixelData"].is_undefined_length = packed
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def dicom_rle(stored: Pixels, bits: int) -> bytes:
    dataset = importlib.import_module("pydicom").dcmread(io.BytesIO(dicom(stored, bits)))
    dataset.compress(RLE, encoding_plugin="pydicom", generate_instance_uid=False)
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()


def lut(entries: Sequence[int], first: int, bits: int) -> Any:
    item = importlib.import_module("pydicom").Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(entries) % 65536, first, bits])
    item.add_new("LUTData", "US", list(entries))
    item.ModalityLUTType = "US"
    return item


def dicom_files() -> Files:
    """Empty where pydicom is not installed."""
    if module("pydicom") is None:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that are wrong on purpose
        return {f"dicom-{name}.dcm": data for name, data in _dicoms().items()}


def _dicoms() -> Files:
    encapsulate = importlib.import_module("pydicom.encaps").encapsulate
    picture = chest(200, 256)
    twelve, sixteen = deep(picture, 12), deep(picture, 16)
    signed = (twelve.astype(int) - 2048).astype(np.int16)
    frame = saved(picture, "JPEG", quality=90)
    wavelets = saved(picture, "JPEG2000", no_jp2=True)
    full: dict[str, Any] = {"WindowCenter": 2048, "WindowWidth": 4096}
    ramp, negative = list(range(4096)), list(range(4095, -1, -1))
    jpeg = partial(dicom, picture, 8, JPEG_8)
    of_twelve = partial(dicom, twelve, 12)
    return {
        "8": dicom(picture, 8),
        "12": of_twelve(),
        "16": dicom(sixteen, 16),
        "10-of-16": dicom(deep(picture, 10), 16),
        "monochrome1": dicom(4095 - twelve, 12, PhotometricInterpretation="MONOCHROME1"),
        "monochrome1-of-bright": of_twelve(PhotometricInterpretation="MONOCHROME1"),
        "implicit": dicom(twelve, 12, IMPLICIT),
        "big-endian": dicom(twelve, 12, BIG),
        "signed-12": dicom(signed, 12),
        "signed-8": dicom((picture.astype(int) - 128).astype(np.int8), 8),
        "window": of_twelve(**full),
        "window-narrow": of_twelve(WindowCenter=1800, WindowWidth=900),
        "window-exact": of_twelve(
            WindowCenter=1800, WindowWidth=900, VOILUTFunction="LINEAR_EXACT"
        ),
        "window-sigmoid": of_twelve(WindowCenter=1800, WindowWidth=900, VOILUTFunction="SIGMOID"),
        "window-cubic": of_twelve(WindowCenter=1800, WindowWidth=900, VOILUTFunction="CUBIC"),
        "window-0": of_twelve(WindowCenter=100, WindowWidth=0),
        "windows-2": of_twelve(WindowCenter=[2048, 100], WindowWidth=[4096, 10]),
        "rescaled": of_twelve(RescaleSlope=2, RescaleIntercept=-1000),
        "rescale-negative": dicom(4095 - twelve, 12, RescaleSlope=-1, RescaleIntercept=4095),
        "rescale-0": of_twelve(RescaleSlope=0, RescaleIntercept=0),
        "voi-lut": of_twelve(VOILUTSequence=[lut(ramp, 0, 12)]),
        "voi-luts-2": of_twelve(VOILUTSequence=[lut(ramp, 0, 12), lut(negative, 0, 12)]),
        "voi-lut-short": of_twelve(VOILUTSequence=[lut([0, 4096], 0, 12)]),
        "modality-lut": dicom(4095 - twelve, 12, ModalityLUTSequence=[lut(negative, 0, 12)]),
        "faint": dicom(picture.astype(np.uint16) + 3000, 14),
        "rle": dicom_rle(twelve, 12),
        "rle-8": dicom_rle(picture, 8),
        "jpeg": jpeg(PixelData=encapsulate([frame])),
        "jpeg-fragments": jpeg(PixelData=encapsulate([frame], fragments_per_frame=5)),
        "jpeg-of-another-size": jpeg(
            PixelData=encapsulate([saved(chest(64, 64), "JPEG", quality=90)])
        ),
        "jpeg-half": jpeg(PixelData=encapsulate([frame[: len(frame) // 2]])),
        "jpeg2000": dicom(picture, 8, JPEG_2000, PixelData=encapsulate([wavelets])),
        "jpeg2000-half": dicom(
            picture, 8, JPEG_2000, PixelData=encapsulate([wavelets[: len(wavelets) // 2]])
        ),
        "frames-3": dicom(
            picture, 8, NumberOfFrames=3, PixelData=np.stack([picture] * 3).tobytes()
        ),
        "frames-30-promised": of_twelve(NumberOfFrames=30),
        "ct": of_twelve(Modality="CT"),
        "mr": of_twelve(Modality="MR"),
        "mg": of_twelve(Modality="MG"),
        "dx": of_twelve(Modality="DX"),
        "no-modality": of_twelve(Modality=None),
        "hand": of_twelve(BodyPartExamined="HAND"),
        "lateral": of_twelve(ViewPosition="LL"),
        "hostile-text": of_twelve(BodyPartExamined="\x1b[31mHAND"),
        "report": of_twelve(
            SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", PixelData=None, Modality="SR"
        ),
        "rgb": dicom(
            np.dstack([picture] * 3), 8, PhotometricInterpretation="RGB", SamplesPerPixel=3
        ),
        "palette": of_twelve(PhotometricInterpretation="PALETTE COLOR"),
        "no-photometric": of_twelve(PhotometricInterpretation=None),
        "no-rows": of_twelve(Rows=None),
        "no-bits-stored": of_twelve(BitsStored=None),
        "no-pixels": of_twelve(PixelData=None),
        "rows-0": of_twelve(Rows=0),
        "rows-too-many": of_twelve(Rows=257),
        "rows-vast": of_twelve(Rows=65535, Columns=65535),
        "bits-20": of_twelve(BitsStored=20),
        "high-bit": of_twelve(HighBit=15),
        "bits-32": of_twelve(BitsAllocated=32, BitsStored=32, HighBit=31),
        "unknown-syntax": dicom(twelve, 12).replace(
            EXPLICIT.encode(), b"1.2.3.4".ljust(len(EXPLICIT), b"\0")
        ),
        "deflated": dicom(twelve, 12, f"{EXPLICIT}.99"),
    }


# Folders of files


def write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def write_singles(folder: Path, radiographs: Sequence[Path]) -> None:
    """The many files that are classified one by one."""
    good = png_files() | jpeg_files() | tiff_files() | other_rasters() | dicom_files()
    every = good | geometry_files() | foreign_files()
    write_all(folder, every | damaged_files(good) | misnamed_files(good) | resaved(radiographs))
    (folder / "folder.png").mkdir()
    (folder / "subfolder").mkdir()
    write_all(folder / "subfolder", {"below.png": good["png-gray8.png"]})
    os.mkfifo(folder / "pipe.png")
    for name, target in (("gone", "nowhere"), ("loop", "link-loop.png"), ("good", "png-gray8.png")):
        (folder / f"link-{name}.png").symlink_to(target)


def resaved(radiographs: Sequence[Path]) -> Files:
    """Real radiographs as they are, and some of them in other formats."""
    found: Files = {f"nih-{path.name}": path.read_bytes() for path in radiographs}
    for number, path in enumerate(radiographs[::4]):
        with Image.open(path) as image:
            picture = np.asarray(image.convert("L"))
        kinds: dict[str, Callable[[], bytes]] = {
            "jpg": partial(saved, picture, "JPEG", quality=90),
            "16.png": partial(saved, deep(picture, 16), "PNG"),
            "tif": partial(saved, picture, "TIFF", compression="tiff_lzw"),
            "bmp": partial(saved, picture, "BMP"),
            "webp": partial(saved, Image.fromarray(picture).convert("RGB"), "WEBP", lossless=True),
            "inverted.png": partial(saved, 255 - picture, "PNG"),
            "turned.png": partial(saved, np.rot90(picture), "PNG"),
        }
        if module("pydicom"):
            kinds["dcm"] = partial(dicom, deep(picture, 12), 12)
        for suffix in [*kinds][number % 2 :: 2]:
            found[f"nih-{path.stem}.{suffix}"] = kinds[suffix]()
    return found


def write_small_folder(folder: Path) -> None:
    """A folder with subfolders, hidden files, good and bad ones: quick to go through."""
    write_all(
        folder,
        {
            "a.png": saved(chest(), "PNG"),
            "b.jpg": saved(another_chest(1), "JPEG", quality=90),
            "c-broken.png": saved(chest(), "PNG")[:2000],
            "d-inverted.png": saved(255 - chest(), "PNG"),
            "e-blank.png": saved(np.full((64, 64), 9, np.uint8), "PNG"),
            "f.tif": saved(another_chest(2), "TIFF"),
            "g.txt": b"A line of text.\n",
            ".hidden.png": saved(chest(64, 64), "PNG"),
            "inner/h.png": saved(another_chest(3), "PNG"),
            "inner/deeper/i.bmp": saved(another_chest(4), "BMP"),
            "inner/.hidden/j.png": saved(another_chest(5), "PNG"),
            "z.webp": saved(Image.fromarray(another_chest(6)), "WEBP", lossless=True),
        },
    )
    (folder / "empty").mkdir()


def write_photographs(folder: Path) -> None:
    picture = chest(300, 360)
    scenes = {
        "light-box.jpg": photograph(picture, 235, 1),
        "dark-room.jpg": photograph(picture, 5, 2),
        "wall.jpg": photograph(picture, 150, 3),
        "turned.jpg": photograph(picture, 235, 4, turns=1),
        "negative.jpg": photograph(255 - picture, 235, 5),
        "no-film.jpg": Image.new("RGB", (480, 600), (120, 120, 120)),
        "film-alone.jpg": Image.fromarray(picture).convert("RGB"),
    }
    write_all(folder, {name: saved(scene, "JPEG", quality=85) for name, scene in scenes.items()})
    write_all(folder, {"broken.jpg": saved(scenes["wall.jpg"], "JPEG")[:5000]})


NIH_HEADER: Final = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)


def some_labels(count: int, seed: int) -> list[str]:
    """Findings joined by bars; each of the 15 labels is borne by some."""
    random = np.random.default_rng([13, seed])
    found = []
    for index in range(count):
        several = [LABELS[index % 14], *random.choice(LABELS[:14], random.integers(0, 3))]
        found.append("|".join(dict.fromkeys(several)) if random.random() < 0.6 else LABELS[-1])
    return found


def write_nih(folder: Path, clean: bool) -> None:
    """The release's layout with official lists; unless `clean`, with gaps in it."""
    images = [
        (patient, f"{patient:08d}_{visit:03d}.png") for patient in range(30) for visit in (0, 1)
    ]
    labels = some_labels(len(images), int(clean))
    lines = [
        f"{name},{text},0,{patient},{40 + patient},{'FM'[patient % 2]},PA,2500,2048,0.1,0.1"
        for (patient, name), text in zip(images, labels, strict=True)
    ]
    files = {
        f"images/{name}": saved(another_chest(100 + index), "PNG")
        for index, (_, name) in enumerate(images)
    }
    names = [name for _, name in images]
    tested, listed = names[:30], names[30:]
    if not clean:
        del files[f"images/{names[3]}"]
        files[f"images/{names[5]}"] = b"broken"
        lines[7] = lines[7].replace(f",{labels[7]},", ",,")
        files["images/stranger.png"] = saved(another_chest(99), "PNG")
        listed = listed[:-2]
    files["Data_Entry_2017_v2020.csv"] = "\n".join([NIH_HEADER, *lines, ""]).encode()
    files["test_list.txt"] = "\n".join(tested).encode()
    files["train_val_list.txt"] = "\n".join(listed).encode()
    write_all(folder, files)


def write_clinic(folder: Path, patients: bool) -> None:
    """Images of several kinds and a plain CSV of their labels."""
    kinds = ("PNG", "JPEG", "TIFF", "BMP")
    suffixes = {"PNG": "png", "JPEG": "jpg", "TIFF": "tif", "BMP": "bmp"}
    lines, files = ["image,labels,patient" if patients else "Image,LABELS"], dict[str, bytes]()
    for index, text in enumerate(some_labels(40, 2)):
        kind = kinds[index % len(kinds)]
        name = f"{'ward b/' if index % 5 == 0 else ''}picture {index}.{suffixes[kind]}"
        files[name] = saved(another_chest(200 + index), kind)
        lines.append(f"{name},{text}" + (f",p{index // 2}" if patients else ""))
    files["picture 3.bmp"] = files["picture 3.bmp"][:500]
    files["labels.csv"] = "\n".join([*lines, ""]).encode()
    write_all(folder, files)


def label_files() -> Files:
    """CSVs of labels for the clinic's images, most of them wrong in one way."""
    head, first, second = "image,labels,patient", "picture 1.jpg,Mass,a", "picture 2.tif,Edema,b"
    good = f"{head}\n{first}\n{second}\n"
    texts = {
        "good": good,
        "windows": good.replace("\n", "\r\n"),
        "byte-order-mark": "\ufeff" + good,
        "capitals": good.replace("image,labels", "IMAGE , Finding Labels"),
        "no-end-of-line": good[:-1],
        "empty-lines": good.replace("\n", "\n\n"),
        "quoted": good.replace("Mass", '"Mass| Edema"'),
        "twice-alike": good + first + "\n",
        "twice-otherwise": good + first.replace("Mass", "Edema") + "\n",
        "header-only": head + "\n",
        "empty": "",
        "unknown-label": good.replace("Mass", "Measles"),
        "lower-case-label": good.replace("Mass", "mass"),
        "too-many-cells": good.replace("Edema,b", "Edema,b,c"),
        "too-few-cells": good.replace("Edema,b", "Edema"),
        "semicolons": good.replace(",", ";"),
        "no-image-column": good.replace("image", "file"),
        "no-labels-column": good.replace("labels", "findings"),
        "two-patients-columns": good.replace("labels,patient", "labels,patient,patient id"),
        "no-patient": good.replace(",a\n", ",\n"),
        "no-labels": good.replace("Mass", ""),
        "absolute": good.replace("picture 1", "/etc/picture 1"),
        "outside": good.replace("picture 1", "../picture 1"),
        "gone": good.replace("picture 1", "picture 100"),
        "all-gone": good.replace("picture ", "no picture "),
        "open-quote": good.replace("Mass", '"Mass'),
        "escape": good.replace("picture 1", "picture\x1b[31m"),
        "no-finding-and-more": good.replace("Mass", "Mass|No Finding"),
    }
    files = {f"{name}.csv": text.encode() for name, text in texts.items()}
    return files | {
        "latin-1.csv": good.replace("Mass", "M\u00e4ss").encode("latin-1"),
        "nul.csv": good.replace("Mass", "Ma\0ss").encode(),
        "binary.csv": bytes(range(256)),
    }


def write_tables(folder: Path) -> None:
    """ChestMNIST's archive and a CSV of pixels: what the workstation reads besides folders."""
    random = np.random.default_rng(17)
    pictures = np.stack([another_chest(300 + index, 28) for index in range(12)])
    arrays = {
        f"{part}_{kind}": value
        for part in ("train", "val", "test")
        for kind, value in (
            ("images", pictures),
            ("labels", random.integers(0, 2, (12, 14)).astype(np.uint8)),
        )
    }
    folder.mkdir(parents=True)
    np.savez(folder / "chestmnist.npz", **arrays)  # type: ignore[arg-type]
    columns = ",".join(["label", *(f"pixel{index}" for index in range(784))])
    rows = [
        ",".join([LABELS[index], *map(str, picture.ravel())])
        for index, picture in enumerate(pictures)
    ]
    write_all(folder, {"pixels.csv": "\n".join([columns, *rows, ""]).encode()})


def write_models(folder: Path, shipped: Mapping[str, Path]) -> None:
    """The shipped model files, and copies that are broken in one way each."""
    for name, path in shipped.items():
        write_all(folder, {f"{name}.tflite": path.read_bytes()})
    data = shipped[CNN].read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: info for info in archive.infolist()}
        start = min(info.header_offset for info in members.values())
        manifest = archive.read("manifest.json")
    flatbuffer = data[:start]

    def flipped(place: int) -> bytes:
        return data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]

    inside = members["manifest.json"].header_offset + 30 + len("manifest.json") + 40
    write_all(
        folder,
        {
            "copy with spaces.tflite": data,
            "without-suffix": data,
            "other-suffix.bin": data,
            "cut-at-a-tenth.tflite": data[: len(data) // 10],
            "cut-in-the-archive.tflite": data[: (start + len(data)) // 2],
            "cut-by-one.tflite": data[:-1],
            "flipped-flatbuffer.tflite": flipped(start // 2),
            "flipped-identifier.tflite": flipped(5),
            "flipped-manifest.tflite": flipped(inside),
            "flipped-directory.tflite": flipped(len(data) - 60),
            "flipped-archive.tflite": flipped(members["golden/input.bin"].header_offset + 90),
            "plain.tflite": flatbuffer,
            "archive-alone.tflite": data[start:],
            "with-more.tflite": data + b"and more",
            "empty.tflite": b"",
            "text.tflite": b"A line of text.\n",
            "picture.tflite": saved(chest(64, 64), "PNG"),
            **rebuilt_models(data, start, json.loads(manifest)),
        },
    )
    (folder / "folder.tflite").mkdir()


def rebuilt_models(data: bytes, start: int, manifest: dict[str, Any]) -> Files:
    """Copies whose archive is sound and whose manifest or members are not."""

    def rebuilt(change: Callable[[dict[str, bytes]], None]) -> bytes:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        change(members)
        file = io.BytesIO(data[:start])
        with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
            for name, body in members.items():
                archive.writestr(zipfile.ZipInfo(name), body, zipfile.ZIP_DEFLATED)
        return file.getvalue()

    def stating(**values: Any) -> bytes:
        whole = {**manifest, **values}
        kept = {key: value for key, value in whole.items() if value is not None}
        text = json.dumps(kept).encode()
        return rebuilt(lambda members: members.update({"manifest.json": text}))

    def replacing(name: str, body: bytes) -> bytes:
        return rebuilt(lambda members: members.update({name: body}))

    names = ("manifest.json", "labels.txt", "golden/input.bin", "golden/logits.bin")
    files = {
        f"without-{name.replace('/', '-')}.tflite": rebuilt(partial(_leave_out, name))
        for name in names
    }
    return files | {
        "manifest-as-it-was.tflite": stating(),
        "manifest-text.tflite": replacing("manifest.json", b"no JSON"),
        "manifest-list.tflite": replacing("manifest.json", b"[]"),
        "manifest-nan.tflite": replacing("manifest.json", b'{"schema_version": NaN}'),
        "manifest-version-99.tflite": stating(schema_version=99),
        "manifest-no-labels.tflite": stating(labels=None),
        "manifest-swapped-labels.tflite": stating(labels=manifest["labels"][::-1]),
        "manifest-surprise.tflite": stating(surprise=1),
        "manifest-name.tflite": stating(name="\x1b[31mred"),
        "manifest-no-check.tflite": stating(input_check=None),
        "manifest-other-digest.tflite": stating(
            flatbuffer={**manifest["flatbuffer"], "sha256": "0" * 64}
        ),
        "manifest-point.tflite": stating(default_operating_point="unheard-of"),
        "labels-otherwise.tflite": replacing("labels.txt", b"Mass\n"),
        "golden-short.tflite": replacing("golden/logits.bin", b"\0"),
        "golden-wrong.tflite": rebuilt(_wrong_answers),
    }


def _leave_out(name: str, members: dict[str, bytes]) -> None:
    del members[name]


def _wrong_answers(members: dict[str, bytes]) -> None:
    stored = np.frombuffer(members["golden/logits.bin"], np.int8)
    members["golden/logits.bin"] = (stored // 2 + 20).astype(np.int8).tobytes()


def write_reports(folder: Path) -> None:
    """The repository's own reports of both networks, float and int8."""
    for model in MODELS:
        for kind in ("float.json", "float.npz", "int8.json", "int8.npz"):
            source = REPOSITORY / "reports" / model / kind
            if source.is_file():
                write_all(folder / model, {kind: source.read_bytes()})


def break_reports(made: Path) -> None:
    """Beside the reports that the watched version has just written: broken copies of one."""
    report, scores = made / "lite.json", made / "lite.npz"
    if not (report.is_file() and scores.is_file()):
        return
    text, arrays = report.read_text(), scores.read_bytes()
    content = json.loads(text)
    broken: dict[str, tuple[str, bytes | None]] = {
        "no-scores": (text, None),
        "cut": (text[: len(text) // 2], arrays),
        "text": ("no JSON", arrays),
        "list": ("[]", arrays),
        "empty": ("", arrays),
        "version-99": (json.dumps(content | {"schema_version": 99}), arrays),
        "kind": (json.dumps(content | {"kind": "something else"}), arrays),
        "no-labels": (json.dumps({k: v for k, v in content.items() if k != "labels"}), arrays),
        "cut-scores": (text, arrays[: len(arrays) // 2]),
        "flipped-scores": (text, arrays[:200] + bytes([arrays[200] ^ 1]) + arrays[201:]),
        "other-scores": (text, (made / "cnn.npz").read_bytes()),
    }
    for name, (words, body) in broken.items():
        place = made / f"broken-{name}"
        place.mkdir()
        (place / "lite.json").write_text(words)
        if body is not None:
            (place / "lite.npz").write_bytes(body)  # a report names its scores


def draw(folder: Path, radiographs: Sequence[Path], shipped: Mapping[str, Path]) -> None:
    """All input files, below `folder`."""
    write_singles(folder / "files", radiographs)
    write_small_folder(folder / "folder")
    write_photographs(folder / "photographs")
    write_nih(folder / "gappy", clean=False)
    write_nih(folder / "clean", clean=True)
    write_clinic(folder / "clinic", patients=True)
    write_clinic(folder / "nobody", patients=False)
    write_all(folder / "labels", label_files())
    write_all(folder / "two-lists", {"a.csv": b"image,labels\n", "b.csv": b"image,labels\n"})
    write_all(folder / "bare", {"a.png": saved(chest(64, 64), "PNG")})
    write_tables(folder / "tables")
    write_models(folder / "models", shipped)
    write_reports(folder / "reports")
    (folder / FINISHED).touch()


# Cases


@dataclass(frozen=True)
class Step:
    """One command.

    Attributes:
        arguments: after `edge-cxr`.
        stdin: a drawn file's name, ``closed``, or nothing.
        stdout: ``""``, ``closed``, or ``full`` for a disk that is.
        environment: beyond the fixed one; ``{folder}`` in it stands for the case's.
        before: what happens to the case's folder first.
        keys: only the structure of the JSON printed is recorded: its values are times.
    """

    arguments: tuple[str, ...]
    stdin: str = ""
    stdout: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    before: Callable[[Path], None] | None = None
    keys: bool = False


@dataclass(frozen=True)
class Case:
    """Commands that run one after the other in a folder of their own."""

    name: str
    steps: tuple[Step, ...]
    keep: str = ""
    """What the case's folder is called for later cases; it is removed if empty."""


def step(*arguments: str, **options: Any) -> Step:
    return Step(arguments, **options)


def classify(*arguments: str, **options: Any) -> Step:
    """With one thread, so that nothing depends on what was fastest when it was tried."""
    return Step(("classify", "--threads", "1", *arguments), **options)


def evaluate(*arguments: str, **options: Any) -> Step:
    return Step(("evaluate", "--threads", "1", *arguments), **options)


def compare(*arguments: str, **options: Any) -> Step:
    return Step(("compare", "--resamples", "200", *arguments), **options)


SINGLES: Final = (
    *("png-gray8.png", "png-gray8-1024.png", "png-gray16.png", "png-gray16-faint.png"),
    *("png-rgb-colour.png", "png-rgba-half.png", "png-palette.png", "png-gray1.png"),
    *("png-exif-6.png", "png-animated.png", "png-vast.png", "png-crc-of-pixels.png"),
    *("jpeg-gray-1024.jpg", "jpeg-cmyk.jpg", "jpeg-exif-6.jpg", "cut-jpeg-gray-0.4.jpg"),
    *("tiff-16-white-is-zero.tif", "tiff-two-pages.tif", "webp-alpha.webp", "bmp-gray.bmp"),
    *("dicom-12.dcm", "dicom-monochrome1.dcm", "dicom-window-narrow.dcm", "dicom-rle.dcm"),
    *("dicom-jpeg2000.dcm", "dicom-ct.dcm", "dicom-frames-3.dcm", "dicom-lateral.dcm"),
    *("shape-inverted.png", "shape-500x200.png", "shape-320x200.png", "shape-blank-gray.png"),
    *("empty.png", "foreign.txt", "folder.png", "pipe.png", "link-loop.png", "no-such-file.png"),
    *("name\nof two lines.png", "name\x1b[31mred.png", os.fsdecode(b"name\x80\xff.png")),
)
"""Of the drawn files: those that are also classified alone, as table and as JSON."""

COMMANDS: Final = (
    *((), ("classify",), ("evaluate",), ("compare",), ("benchmark",), ("doctor",)),
    *(("models",), ("models", "list"), ("models", "inspect"), ("models", "verify")),
)


def help_cases() -> Iterator[Case]:
    yield Case("help", tuple(step(*command, "--help") for command in COMMANDS))
    yield Case("version", (step("--version"), step("--version", "classify")))
    wrong = (
        *((), ("models",), ("classify",), ("evaluate",), ("compare",), ("models", "inspect")),
        *(("nonsense",), ("--nonsense",), ("models", "nonsense"), ("clasify", "files/empty.png")),
        *(("classify", "--nonsense", "a.png"), ("compare", "a.json"), ("doctor", "more")),
        *(("evaluate", "a", "b"), ("models", "list", "more"), ("-h",), ("compare", "a", "b", "c")),
    )
    yield Case("usage-commands", tuple(step(*each) for each in wrong))


def single_cases(files: Path) -> Iterator[Case]:
    """Each of `SINGLES` as a person and as a program would have it."""
    for model in MODELS:
        for name in SINGLES:
            if "dicom-" in name and not (files / "files" / name).exists():
                continue
            plain = "".join(c if c.isalnum() or c in ".-_" else "_" for c in name)
            ask = ("-m", model, f"files/{name}")
            yield Case(
                f"single-{model}-{plain}",
                (classify(*ask), classify("--json", *ask), classify("--csv", *ask)),
            )


def folder_cases() -> Iterator[Case]:
    for model in MODELS:
        ask = ("-m", model)
        for forced in ((), ("--force",)):
            yield Case(
                f"files-{model}-json{'-forced' if forced else ''}",
                (classify(*ask, "--json", "--workers", "1", *forced, "files"),),
            )
        yield Case(f"files-{model}-table", (classify(*ask, "--workers", "2", "files"),))
        yield Case(f"files-{model}-csv", (classify(*ask, "--csv", "--workers", "2", "files"),))
        for form in ("--json", "--csv", ""):
            forms = (form,) if form else ()
            yield Case(
                f"folder-{model}-{form.strip('-') or 'table'}",
                (
                    classify(*ask, *forms, "--workers", "1", "folder"),
                    classify(*ask, *forms, "--workers", "2", "-r", "folder"),
                    classify(*ask, *forms, "--force", "folder"),
                    classify(*ask, *forms, "--top", "3", "folder", "files/png-gray8.png"),
                ),
            )
        yield Case(
            f"points-{model}",
            tuple(
                classify(*ask, *form, "--operating-point", point, "folder/a.png", "folder/b.jpg")
                for point in (*POINTS, "unheard-of")
                for form in ((), ("--json",), ("--csv",))
            ),
        )
        yield Case(
            f"top-{model}",
            tuple(
                classify(*ask, *form, "--top", top, "folder/a.png")
                for top in ("1", "15", "0", "16", "many")
                for form in ((), ("--json",), ("--csv",))
            ),
        )
        yield Case(f"heatmaps-{model}", tuple(heatmap_steps(ask)))
        yield Case(f"film-{model}", tuple(film_steps(ask)))


def heatmap_steps(ask: tuple[str, ...]) -> Iterator[Step]:
    yield classify(*ask, "--heatmap", "maps", "folder/a.png")
    yield classify(*ask, "--heatmap", "maps", "folder/a.png")
    yield classify(*ask, "--heatmap", "maps", "--overwrite", "folder/a.png")
    yield classify(*ask, "--json", "--heatmap", "json/below", "folder/b.jpg")
    yield classify(*ask, "--json", "--heatmap", "json", "--force", "--workers", "2", "folder")
    yield classify(*ask, "--csv", "--heatmap", "csv", "--top", "2", "-r", "folder")
    yield classify(*ask, "--heatmap", "large", "files/jpeg-gray-1024.jpg")
    yield classify(*ask, "--heatmap", "large", "files/png-rgba-half.png")
    yield classify(*ask, "--heatmap", "small", "--force", "files/shape-16x16.png")
    yield classify(*ask, "--heatmap", "long", "--force", "files/shape-3000x30.png")
    yield classify(*ask, "--heatmap", "point", "--operating-point", "rule-in", "folder/a.png")
    yield classify(*ask, "--heatmap", "stdin", "-", stdin="folder/a.png")
    yield classify(*ask, "--heatmap", "folder/a.png", "folder/a.png")
    yield classify(*ask, "--heatmap", "/dev/null/maps", "folder/a.png")
    yield classify(*ask, "--overwrite", "folder/a.png")


def film_steps(ask: tuple[str, ...]) -> Iterator[Step]:
    yield classify(*ask, "--film", "photographs/light-box.jpg")
    yield classify(*ask, "--film", "--json", "--workers", "1", "photographs")
    yield classify(*ask, "--film", "--json", "--heatmap", "maps", "photographs/wall.jpg")
    yield classify(*ask, "--film", "--csv", "--force", "--workers", "2", "photographs")
    yield classify(*ask, "--json", "--workers", "1", "photographs")
    yield classify(*ask, "--film", "folder")
    yield classify(*ask, "--camera", "63")
    yield classify(*ask, "--camera", "0", "folder/a.png")
    yield classify(*ask, "--camera", "-1")


def classify_cases() -> Iterator[Case]:
    """What does not depend on the network, mostly with the quick one."""
    ask = ("-m", CNN)
    good = "files/png-gray8.png"
    limits = (
        *(("--max-bytes", "1000"), ("--max-bytes", "1"), ("--max-bytes", "0")),
        *(("--max-pixels", "65536"), ("--max-pixels", "65535"), ("--max-pixels", "-3")),
        *(("--max-pixels", "1000000000"), ("--max-bytes", "1e6")),
    )
    many = (good, "files/jpeg-gray.jpg", "files/png-vast.png", "files/tiff-16.tif")
    yield Case("limits", tuple(classify(*ask, *limit, *many) for limit in limits))
    yield Case(
        "several",
        (
            classify(*ask, good, good, "files/no-such-file.png"),
            classify(*ask, "folder", good, "folder/inner"),
            classify(*ask, "--json", good, good),
            classify(*ask, "--", "-name-with-dash.png"),
            classify(*ask, "files/-name-with-dash.png"),
            classify(*ask, "folder/empty"),
            classify(*ask, "--json", "folder/empty"),
            classify(*ask, "--csv", "folder/empty"),
            classify(*ask, "-r", "folder/inner"),
            classify(*ask, "folder/", "./folder"),
            classify(*ask, "files/subfolder/../png-gray8.png"),
            classify(*ask, "folder/.hidden.png"),
            classify(*ask, "/dev/null"),
            classify(*ask, "/dev/zero"),
            classify(*ask, good + "/below.png"),
            classify(*ask, ""),
            classify(*ask, "x" * 300),
        ),
    )
    yield Case("stdin", tuple(stdin_steps(ask)))
    yield Case("sinks", tuple(sink_steps(ask)))
    yield Case(
        "usage-classify",
        tuple(
            classify(*each)
            for each in (
                *(("-m", "unheard-of", good), ("-m", "", good), ("-m", "no/such.tflite", good)),
                *(("--runtime", "unheard-of", good), ("--runtime", "tflite", good)),
                *(("--runtime", "litert", "--json", *ask, good), ("--runtime", "LITERT", good)),
                *(("--delegate", "unheard-of", good), ("--delegate", "edgetpu", good)),
                *(("--delegate", "cpu", "--json", *ask, good), ("--delegate", "folder", good)),
                *(("--delegate", "files/foreign.txt", good), ("--delegate", "no/such.so", good)),
                *(("--json", "--csv", good), (), ("--workers", "0", good)),
                *(("--workers", "65", good), ("--threads", "0", good), ("--threads", "65", good)),
                *(("--threads", "two", good), ("--recursive",), ("--camera", "x")),
            )
        ),
    )
    yield Case(
        "threads-by-themselves",
        (
            step("classify", *ask, good),
            step("classify", *ask, "--json", good),
            step("classify", *ask, "--json", "--workers", "2", good),
            step("classify", *ask, "--json", "--threads", "2", good),
            step("classify", *ask, "--json", "--workers", "2", "--top", "1", "folder"),
        ),
    )
    yield Case("environment", tuple(environment_steps(ask)))


def stdin_steps(ask: tuple[str, ...]) -> Iterator[Step]:
    for name in ("png-gray8.png", "jpeg-exif-6.jpg", "empty.png", "foreign.txt", "png-vast.png"):
        yield classify(*ask, "-", stdin=f"files/{name}")
        yield classify(*ask, "--json", "-", stdin=f"files/{name}")
    yield classify(*ask, "--csv", "-", "folder/a.png", stdin="folder/b.jpg")
    yield classify(*ask, "-", "-", stdin="folder/b.jpg")
    yield classify(*ask, "--max-bytes", "100", "-", stdin="folder/b.jpg")
    yield classify(*ask, "-", stdin="closed")
    yield classify(*ask, "-")


def sink_steps(ask: tuple[str, ...]) -> Iterator[Step]:
    for sink in ("closed", "full"):
        yield classify(*ask, "folder/a.png", stdout=sink)
        yield classify(*ask, "--json", "folder", stdout=sink)
        yield step("models", "list", stdout=sink)
        yield step("--help", stdout=sink)


def environment_steps(ask: tuple[str, ...]) -> Iterator[Step]:
    """The variables that README names, set to what helps and what does not."""
    settings: tuple[tuple[tuple[str, str], ...], ...] = (
        (("XDG_CACHE_HOME", "cold"),),
        (("XDG_CACHE_HOME", "{folder}/cold"),),
        (("XDG_CACHE_HOME", "{folder}/cold"),),
        (("XDG_CACHE_HOME", "/dev/null/nowhere"), ("HOME", "/dev/null")),
        (("EDGE_CXR_EDGETPU_LIBRARY", "files/foreign.txt"),),
        (("EDGE_CXR_EDGETPU_LIBRARY", "no/such.so"),),
        (("EDGE_CXR_EDGETPU_LIBRARY", ""),),
        (("EDGE_CXR_TRIAL_SECONDS", "soon"), ("XDG_CACHE_HOME", "{folder}/soon")),
        (("EDGE_CXR_TRIAL_SECONDS", "-1"), ("XDG_CACHE_HOME", "{folder}/minus")),
        (("LANG", "C"), ("PYTHONUTF8", "0")),
        (("NO_COLOR", "1"),),
        (("COLUMNS", "40"),),
    )
    for setting in settings:
        yield classify(*ask, "--top", "1", "folder/a.png", environment=setting)
    broken = (("EDGE_CXR_EDGETPU_LIBRARY", "files/foreign.txt"),)
    yield classify(*ask, "--json", "folder/a.png", environment=broken)
    yield classify(*ask, "--delegate", "edgetpu", "folder/a.png", environment=broken)
    plain = (("LANG", "C"), ("PYTHONUTF8", "0"), ("PYTHONCOERCECLOCALE", "0"))
    yield classify(*ask, "files/name-r\u00f6ntgen-\u80ba.png", environment=plain)


def model_cases(files: Path) -> Iterator[Case]:
    listing = (step("models", "list"), step("models", "list", "--json"))
    yield Case("models-list", listing)
    for model in MODELS:
        verify = ("models", "verify", "--threads", "1")
        yield Case(
            f"models-{model}",
            (
                step("models", "inspect", model),
                step("models", "inspect", "--json", model),
                step("models", "inspect", f"models/{model}.tflite"),
                step(*verify, model),
                step(*verify, "--json", model),
                step(*verify, f"models/{model}.tflite"),
                classify("--json", "-m", f"models/{model}.tflite", "folder/a.png"),
            ),
        )
    yield Case(
        "models-verify-all",
        (
            step("models", "verify"),
            step("models", "verify", "--json"),
            step("models", "verify", "--threads", "2", CNN, "models/text.tflite", LITE),
            step("models", "verify", "--json", CNN, "models/text.tflite"),
            step("models", "verify", "--runtime", "unheard-of"),
            step("models", "verify", "--runtime", "tflite"),
            step("models", "verify", "--delegate", "edgetpu"),
            step("models", "verify", "--delegate", "cpu", CNN),
            step("models", "verify", "--threads", "0"),
        ),
    )
    broken = sorted(path.name for path in (files / "models").iterdir())
    for name in (*broken, "no-such.tflite", "unheard-of"):
        if name.removesuffix(".tflite") in MODELS:
            continue
        path = name if name == "unheard-of" else f"models/{name}"
        yield Case(
            f"model-file-{name.replace(' ', '_')}",
            (
                step("models", "inspect", path),
                step("models", "verify", "--threads", "1", path),
                step("models", "verify", "--threads", "1", "--json", path),
                classify("-m", path, "--top", "2", "folder/a.png"),
            ),
        )


def occupy(name: str, folder: Path) -> None:
    """A folder stands where the report is to be written."""
    (folder / name / "in the way").mkdir(parents=True)


def make_room(name: str, folder: Path) -> None:
    shutil.rmtree(folder / name)


def make_room_and_cut(name: str, cut: int, folder: Path) -> None:
    """As after a power cut: the journal has lost its end."""
    make_room(name, folder)
    journal = folder / f"{name}.journal"
    if journal.is_file():
        journal.write_bytes(journal.read_bytes()[:-cut])


def spoil(name: str, folder: Path) -> None:
    (folder / name).write_text("no journal\n")


def evaluate_cases(subset: Path | None) -> Iterator[Case]:
    for model in MODELS:
        ask = ("-m", model)
        yield Case(f"evaluate-{model}-clean", (evaluate(*ask, "--json", "clean"),))
        yield Case(f"evaluate-{model}-gappy", (evaluate(*ask, "gappy"),))
        yield Case(
            f"evaluate-{model}-clinic",
            (
                evaluate(*ask, "clinic"),
                evaluate(*ask, "nobody", "--out", "nobody.json", "--operating-point", "rule-in"),
            ),
        )
        yield Case(
            f"evaluate-{model}-retest",
            (evaluate(*ask, "--retest", "--limit", "12", "--json", "clean"),),
        )
    ask = ("-m", CNN)
    yield Case(
        "evaluate-splits",
        tuple(
            evaluate(*ask, "gappy", "--split", split)
            for split in ("test", "validation", "train", "all", "unheard-of", "")
        ),
    )
    yield Case(
        "evaluate-parts",
        (
            evaluate(*ask, "clean", "--limit", "1"),
            evaluate(*ask, "clean", "--limit", "7", "--out", "seven.json"),
            evaluate(*ask, "clinic", "--split", "validation", "--out", "validation.json"),
            evaluate(*ask, "clinic", "--limit", "0"),
            evaluate(*ask, "clinic", "--limit", "9", "--max-bytes", "8000", "--out", "bytes.json"),
            evaluate(*ask, "clinic", "--limit", "9", "--max-pixels", "100"),
        ),
    )
    yield Case("evaluate-again", tuple(again_steps(ask)))
    yield Case(
        "evaluate-usage",
        tuple(
            evaluate(*ask, *each)
            for each in (
                *(("no-such-folder",), ("folder/a.png",), ("tables/chestmnist.npz",)),
                *(("tables/pixels.csv",), ("tables",), ("tables", "--labels", "tables/pixels.csv")),
                *(("bare",), ("two-lists",), ("folder",), ("clean", "--out", "report.txt")),
                *(("clean", "--out", "no/such/folder.json"), ("clean", "--out", "folder")),
                *(("clean", "--operating-point", "unheard-of"), ("clean", "--runtime", "x")),
                *(("clean", "--delegate", "edgetpu"), ("clean", "-m", "models/text.tflite")),
                *(("clinic", "--labels", "no/such.csv"), ("clinic", "--labels", "folder")),
            )
        ),
    )
    yield Case(
        "evaluate-labels",
        tuple(
            evaluate(*ask, "clinic", "--labels", f"labels/{name}", "--out", f"{name[:-4]}.json")
            for name in label_files()
        ),
    )
    if subset:
        for model in MODELS:
            yield Case(
                f"nih-{model}",
                (
                    evaluate("-m", model, "nih", "--limit", "60"),
                    evaluate("-m", model, "nih", "--limit", "40", "--split", "validation"),
                ),
            )
        yield Case("nih-retest", (evaluate(*ask, "nih", "--limit", "20", "--retest", "--json"),))


def again_steps(ask: tuple[str, ...]) -> Iterator[Step]:
    """Going on with a journal, and refusing one that is of something else."""
    out = ("clean", "--limit", "20", "--out", "a.json")
    yield evaluate(*ask, *out, before=partial(occupy, "a.json"))
    yield evaluate("-m", LITE, *out)
    yield evaluate(*ask, *out, "--operating-point", "rule-in")
    yield evaluate(*ask, *out, "--retest")
    yield evaluate(*ask, "clean", "--limit", "19", "--out", "a.json")
    yield evaluate(*ask, *out, before=partial(make_room, "a.json"))
    yield evaluate(*ask, *out)
    out = ("clean", "--limit", "20", "--out", "b.json")
    yield evaluate(*ask, *out, before=partial(occupy, "b.json"))
    yield evaluate(*ask, *out, before=partial(make_room_and_cut, "b.json", 1500))
    yield evaluate(*ask, "clean", "--out", "c.json", before=partial(spoil, "c.json.journal"))


def made_reports() -> Case:
    """Reports for the comparisons; they are recorded as well."""
    clean = ("clean", "--out")
    return Case(
        "evaluate-for-comparisons",
        (
            evaluate("-m", LITE, *clean, "lite.json"),
            evaluate("-m", CNN, *clean, "cnn.json"),
            evaluate("-m", LITE, *clean, "lite-retest.json", "--retest"),
            evaluate("-m", LITE, *clean, "lite-rule-in.json", "--operating-point", "rule-in"),
            evaluate("-m", LITE, *clean, "lite-few.json", "--limit", "10"),
            evaluate("-m", LITE, "clinic", "--out", "lite-clinic.json"),
            evaluate("-m", LITE, *clean, "lite-one.json", "--limit", "1"),
        ),
        keep="made",
    )


def compare_cases() -> Iterator[Case]:
    made = {
        "other-model": ("made/lite.json", "made/cnn.json"),
        "same-file": ("made/lite.json", "made/lite.json"),
        "retest": ("made/lite-retest.json", "made/cnn.json"),
        "retest-second": ("made/cnn.json", "made/lite-retest.json"),
        "other-point": ("made/lite.json", "made/lite-rule-in.json"),
        "one-image": ("made/lite-one.json", "made/lite-one.json"),
        "shipped-lite": (f"reports/{LITE}/float.json", f"reports/{LITE}/int8.json"),
        "shipped-cnn": (f"reports/{CNN}/float.json", f"reports/{CNN}/int8.json"),
    }
    for name, pair in made.items():
        yield Case(
            f"compare-{name}",
            (compare(*pair), compare(*pair, "--json", "--html", "page.html")),
        )
    yield Case("compare-gates", tuple(gate_steps()))
    yield Case("compare-pages", tuple(page_steps()))
    refused = (
        *(("made/lite.json", "made/lite-few.json"), ("made/lite.json", "made/lite-clinic.json")),
        *(("made/lite.json", f"reports/{LITE}/int8.json"), ("made/lite.json", "no/such.json")),
        *(("made", "made/lite.json"), ("made/lite.npz", "made/lite.json")),
        *(("files/foreign.json", "made/lite.json"), ("files/png-gray8.png", "made/lite.json")),
    )
    broken = (
        *("no-scores", "cut", "text", "list", "empty", "version-99", "kind", "no-labels"),
        *("cut-scores", "flipped-scores", "other-scores"),
    )
    yield Case(
        "compare-refused",
        (
            *(compare(*pair) for pair in refused),
            *(compare(f"made/broken-{name}/lite.json", "made/lite.json") for name in broken),
            *(compare("made/lite.json", f"made/broken-{name}/lite.json") for name in broken),
        ),
    )
    pair = made["other-model"]
    yield Case(
        "compare-usage",
        tuple(
            Step(("compare", *each))
            for each in (
                *((*pair, "--resamples", "99"), (*pair, "--resamples", "100001")),
                *((*pair, "--html", "no/such/page.html", "--resamples", "100"),),
                *((*pair, "--nonsense"),),
                *((*pair, "--resamples", "100"), (*pair, "--resamples", "1000", "--json")),
            )
        ),
    )


def page_steps() -> Iterator[Step]:
    """Pages where something is in the way, or was before."""
    pair = ("made/lite.json", "made/cnn.json")
    yield compare(*pair, "--html", "page.html", before=partial(occupy, "page.html"))
    yield compare(*pair, "--html", "page.html", before=partial(make_room, "page.html"))
    yield compare(*pair, "--html", "page.html")
    yield compare(*pair, "--html", "no-suffix")


def gate_steps() -> Iterator[Step]:
    pair = ("made/lite-retest.json", "made/cnn.json")
    wide = (
        *("macro_auroc=-1", "macro_auroc_low=-1", "label_auroc=-1", "agreement=0"),
        *("agreement_over_noise=-1", "tied=1", "saturated=1", "misplaced=15", "label_support=1"),
    )
    settings = (
        *(wide, ("agreement=0.5",), ("label_support=5",), ("label_support=0",)),
        *(("unheard-of=1",), ("agreement",), ("agreement=",), ("agreement=2",), ("tied=nan",)),
        *(("misplaced=1.5",), ("misplaced=-1",), ("tied=0.1", "tied=0.2"), ("=1",)),
        *(("non_finite=3", "saturated=-1"), ("agreement=0.5=0.6",)),
    )
    for setting in settings:
        gates = [word for gate in setting for word in ("--gate", gate)]
        yield compare(*pair, *gates)
    yield compare(*pair, "--json", *(word for gate in wide for word in ("--gate", gate)))


def machine_cases() -> Iterator[Case]:
    wide = (("COLUMNS", "200"),)  # what a table wraps depends on how long a time is written
    yield Case(
        "doctor",
        (
            step("doctor", environment=wide),
            step("doctor", "--json"),
            step("doctor", "--json", "--delegate", "cpu"),
            step("doctor", "--runtime", "litert", environment=wide),
            step("doctor", "--runtime", "tflite", environment=wide),
            step("doctor", "--runtime", "tflite", "--json"),
            step("doctor", "--runtime", "unheard-of"),
            step("doctor", "--delegate", "edgetpu", environment=wide),
            step("doctor", "--delegate", "edgetpu", "--json"),
            step("doctor", "--delegate", "files/foreign.txt", environment=wide),
            step("doctor", "--delegate", "no/such.so"),
            step("doctor", environment=(*wide, ("EDGE_CXR_EDGETPU_LIBRARY", "files/foreign.txt"))),
        ),
    )
    fast = ("benchmark", "-m", CNN, "--seconds", "0", "--workers", "1")
    wrong = (
        *(("no-such-file.png",), ("files/foreign.txt",), ("folder",), ("folder/empty",)),
        *(("--plot", "no/such/plot.svg"), ("--threads", "0"), ("--workers", "0")),
        *(("--precision", "0"), ("--precision", "2"), ("--seconds", "-1"), ("--runtime", "x")),
        *(("--delegate", "x"), ("-m", "unheard-of"), ("-m", "models/text.tflite")),
    )
    compared = (
        *((), ("a.json",), ("a.json", "b.json"), ("files/foreign.json", "files/foreign.txt")),
        *(("made/lite.json", "made/lite.json"), ("--workers", "2", "a", "b"), ("folder", "made")),
    )
    yield Case(
        "benchmark-usage",
        (
            *(step("benchmark", "--seconds", "0", *each) for each in wrong),
            *(step("benchmark", "--compare", *each) for each in compared),
        ),
    )
    yield Case(
        "benchmark-structure",
        (
            step(*fast, "--json", "files/png-gray8.png", "--plot", "plot.svg", keys=True),
            step(*fast, "--json", "--delegate", "cpu", "--delegate", "edgetpu", keys=True),
        ),
    )


def all_cases(files: Path, subset: Path | None) -> list[Case]:
    """The long ones first, so that none of them is left alone at the end."""
    return [
        *(*machine_cases(), *folder_cases(), *evaluate_cases(subset), *compare_cases()),
        *(*model_cases(files), *classify_cases(), *single_cases(files), *help_cases()),
    ]


# Running


@dataclass(frozen=True)
class Places:
    """Where things are during one recording.

    Attributes:
        python: the interpreter, whose environment has the package.
        pythonpath: before its packages, if given.
        files: drawn.
        subset: of real radiographs, if it is there.
        scratch: everything that is written.
        checkout: the watched package's.
        environment: the interpreter's.
        kept: folders of cases whose files later ones use.
    """

    python: Path
    pythonpath: Path | None
    files: Path
    subset: Path | None
    scratch: Path
    checkout: str = ""
    prefix: str = ""
    kept: dict[str, Path] = field(default_factory=dict)

    def environment(self, more: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
        found = {
            "PATH": os.defpath,
            "HOME": str(self.scratch / "home"),
            "LANG": "C.UTF-8",
            "COLUMNS": "100",
            "XDG_CACHE_HOME": str(self.scratch / "cache"),
        }
        if self.pythonpath:
            found["PYTHONPATH"] = str(self.pythonpath)
        return found | dict(more)

    def links(self) -> Iterator[tuple[str, Path]]:
        """What a case's folder has, by names that say nothing of this machine."""
        for path in sorted(self.files.iterdir()):
            if path.is_dir():
                yield path.name, path
        yield from self.kept.items()
        if self.subset:
            yield "nih", self.subset

    def replace(self, text: str) -> str:
        """Paths of this recording become names: a checkout may lie anywhere."""
        paths = {
            str(self.scratch): "{scratch}",
            str(self.files): "{files}",
            str(self.subset or ""): "{subset}",
            self.prefix: "{environment}",
            self.checkout: "{checkout}",
        }
        for path in sorted(filter(None, paths), key=len, reverse=True):
            text = text.replace(path, paths[path])
        return text


def normalised(text: str, places: Places) -> str:
    text = places.replace(text)
    for _, pattern, replacement in NORMALISED:
        text = re.sub(pattern, replacement, text)
    return text


def escaped(text: str) -> str:
    """Control characters in a form that can be read, and that no editor changes."""
    return "".join(
        c if c == "\n" or c.isprintable() or c in "\u00a0" else ascii(c)[1:-1] for c in text
    )


def run_case(case: Case, places: Places) -> str:
    """Everything a case showed, as text."""
    folder = places.scratch / "cases" / case.name
    folder.mkdir(parents=True)
    for name, target in places.links():
        (folder / name).symlink_to(target)
    lines = []
    for each in case.steps:
        lines += [run_step(each, folder, places)]
    lines += [written(folder, places, "\n".join(lines))]
    if case.keep:
        for name, _ in [*places.links()]:
            (folder / name).unlink()
        places.kept[case.keep] = folder
    else:
        shutil.rmtree(folder)
    return "\n".join(lines)


def run_step(each: Step, folder: Path, places: Places) -> str:
    if each.before:
        each.before(folder)
    command = [str(places.python), "-m", "edge_app", *each.arguments]
    for stream, closed in ((">&-", each.stdout), ("<&-", each.stdin)):
        if closed == "closed":
            command = ["sh", "-c", f'exec "$@" {stream}', "sh", *command]
    source = each.stdin if each.stdin not in ("", "closed") else os.devnull
    try:
        with open(folder / source, "rb") as stdin, open("/dev/full", "wb") as full:
            done = subprocess.run(
                command,
                cwd=folder,
                env=places.environment(
                    (name, value.replace("{folder}", str(folder)))
                    for name, value in each.environment
                ),
                stdin=stdin,
                stdout=full if each.stdout == "full" else subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=SECONDS,
                check=False,
            )
        code, out, errors = str(done.returncode), done.stdout or b"", done.stderr
    except subprocess.TimeoutExpired:
        code, out, errors = f"none: ended after {SECONDS} s", b"", b""
    printed = out.decode("utf-8", "backslashreplace")
    shown = structure(printed) if each.keys else readable(printed)
    said = errors.decode("utf-8", "backslashreplace")
    return "\n".join(
        [
            f"$ {shown_command(each)}",
            f"exit code: {code}",
            *section("stdout", normalised(shown, places)),
            *section("stderr", normalised(said, places)),
        ]
    )


def shown_command(each: Step) -> str:
    words = [*(f"{name}={value}" for name, value in each.environment), "edge-cxr", *each.arguments]
    line = " ".join(shlex.quote(os.fsencode(word).decode("utf-8", "replace")) for word in words)
    line += f" < {each.stdin}" * bool(each.stdin) + f" > {each.stdout}" * bool(each.stdout)
    function = getattr(each.before, "func", each.before)
    return escaped(line) + (f"  # after {function.__name__}" if function else "")


def section(name: str, text: str) -> list[str]:
    if not text:
        return []
    ending = "" if text.endswith("\n") else " without a last newline"
    return [f"--- {name}{ending}", escaped(text.removesuffix("\n"))]


def readable(text: str) -> str:
    """JSON of one object a line with each of its parts on a line: differences show where they are.

    Whether the lines are what Python's `json` writes is kept, so nothing is lost.
    """
    lines = text.splitlines()
    if not lines or not all(line.startswith("{") and line.endswith("}") for line in lines):
        return text
    try:
        objects = [json.loads(line) for line in lines]
    except ValueError:
        return text
    found = []
    for line, whole in zip(lines, objects, strict=True):
        plain = json.dumps(whole, ensure_ascii=False) == line
        found.append("one line of JSON" if plain else f"one line of JSON, written as {line}")
        for key, value in whole.items():
            parts = value if key == "findings" and isinstance(value, list) else [value]
            found += [f"  {key}: {json.dumps(part, ensure_ascii=False)}" for part in parts or [[]]]
    return "\n".join(found) + "\n"


def structure(text: str) -> str:
    """Which keys there are, and of which types their values."""
    try:
        content = json.loads(text)
    except ValueError:
        return text
    paths = dict.fromkeys(_paths(content, "$"))
    paths.pop("$.warnings[]: str", None)  # of a busy machine: now there, now not
    return "\n".join(paths) + "\n"


def _paths(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        yield f"{path}: object"
        for key, inner in value.items():
            # Counts of repetitions, such as those of workers, are keys of their own.
            yield from _paths(inner, f"{path}.{key}")
    elif isinstance(value, list):
        yield f"{path}: list"
        for inner in value:
            yield from _paths(inner, f"{path}[]")
    else:
        kind = "number" if isinstance(value, (int, float)) else type(value).__name__
        yield f"{path}: {kind}"


def written(folder: Path, places: Places, shown: str) -> str:
    """The files that a case left in its folder."""
    lines = ["$ files left"]
    for root, folders, names in os.walk(folder):
        folders.sort()
        folders[:] = [each for each in folders if not Path(root, each).is_symlink()]
        for name in sorted(names):
            path = Path(root, name)
            if not path.is_symlink():
                lines += described(path, path.relative_to(folder), places, shown)
    return "\n".join([*lines, ""])


def described(path: Path, name: Path, places: Places, shown: str) -> list[str]:
    """A written file: its content where it can be read, digests where not."""
    data = path.read_bytes()
    if "verdicts" in name.parts:
        return [f"{name.parent}/…: a verdict"]  # named by a digest of this machine
    if path.suffix == ".png":
        return [escaped(f"{name}: {len(data)} bytes, {digest(data)}; {pixels(data)}")]
    if path.suffix == ".npz":
        return [f"{name}: {len(data)} bytes, {digest(data)}", *arrays(data)]
    text = normalised(data.decode("utf-8", "backslashreplace"), places)
    if path.suffix == ".json":
        if escaped(text.strip()) in shown:
            return [f"{name}: as printed, {digest(data)}"]
        return [f"{name}: {digest(text.encode())}", escaped(text.removesuffix("\n"))]
    if path.suffix == ".journal":
        return [f"{name}: {len(text.splitlines())} lines"]
    if path.suffix == ".svg":
        return [str(name)]  # it draws times
    return [f"{name}: {len(text.encode())} bytes, {digest(text.encode())}"]


def digest(data: bytes) -> str:
    return f"SHA-256 {hashlib.sha256(data).hexdigest()[:32]}"


def pixels(data: bytes) -> str:
    with Image.open(io.BytesIO(data)) as image:
        return f"{image.mode} {image.width}x{image.height}, pixels {digest(image.tobytes())}"


def arrays(data: bytes) -> list[str]:
    with np.load(io.BytesIO(data)) as archive:
        found = {name: archive[name] for name in archive.files}
    return [
        f"  {name}: {array.dtype} {array.shape}, {digest(array.tobytes())}"
        for name, array in found.items()
    ]


# Recording


def inputs(files: Path) -> str:
    """What was drawn: recordings of other inputs tell nothing about the program."""
    lines = []
    for path in sorted(files.rglob("*")):
        name = os.fsencode(path.relative_to(files)).decode("utf-8", "backslashreplace")
        if path.is_symlink():
            lines.append(f"{name} -> {os.readlink(path)}")
        elif path.is_file():
            lines.append(f"{name}: {digest(path.read_bytes())}")
    return escaped("\n".join(lines)) + "\n"


def asked(places: Places, code: str) -> str:
    """What the recorded interpreter answers to a line of Python, or the reason that it does not."""
    done = subprocess.run(
        [str(places.python), "-c", code],
        cwd=places.scratch,
        env=places.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{places.python}: {done.stderr.strip()}")
    return done.stdout.strip()


def shipped_models(places: Places) -> dict[str, Path]:
    """The model files of the watched version, by its own account."""
    done = subprocess.run(
        [str(places.python), "-m", "edge_app", "models", "list", "--json"],
        cwd=places.scratch,
        env=places.environment(),
        capture_output=True,
        check=True,
    )
    return {each["name"]: Path(each["path"]) for each in json.loads(done.stdout)}


def some_radiographs(subset: Path | None, count: int = 40) -> list[Path]:
    if subset is None:
        return []
    every = sorted((subset / "images").glob("*.png"))
    return every[:: max(1, len(every) // count)][:count]


def record(options: argparse.Namespace) -> int:
    out: Path = options.out
    if out.exists() and any(out.iterdir()):
        raise SystemExit(f"{out}: is not empty")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="edge-cxr-behaviour-") as scratch:
        places = prepared(options, Path(scratch).resolve())
        drawn = inputs(places.files)
        (out / "inputs.txt").write_text(drawn)
        start = time.monotonic()
        say(f"recording {places.checkout}; {len(drawn.splitlines())} input files")
        run_all(out, places, options.only)
        say(f"{len([*out.glob('*.txt')])} cases in {time.monotonic() - start:.0f} s: {out}")
    return 0


def prepared(options: argparse.Namespace, scratch: Path) -> Places:
    """With all input files drawn, and the runtimes tried once, so that cases do not meet there."""
    subset = options.data if (options.data / "images").is_dir() else None
    files = (options.files or scratch / "drawn").resolve()
    pythonpath = options.pythonpath.resolve() if options.pythonpath else None
    # Not resolved: an environment's python is a link, and is known by its place.
    python = Path(os.path.abspath(options.python))
    places = Places(python, pythonpath, files, subset and subset.resolve(), scratch)
    (scratch / "home").mkdir()
    package = asked(places, "import edge_app; print(edge_app.__path__[0])")
    prefix = asked(places, "import sys; print(sys.prefix)")
    places = Places(
        python, pythonpath, files, places.subset, scratch, str(Path(package).parent), prefix
    )
    if not (files / FINISHED).is_file():
        if files.exists() and any(files.iterdir()):
            raise SystemExit(f"{files}: holds something else than drawn files")
        say("drawing the input files")
        draw(files, some_radiographs(subset), shipped_models(places))
    for model in MODELS:
        run_step(step("models", "verify", model), scratch, places)
    return places


def run_all(out: Path, places: Places, only: str) -> None:
    first = made_reports()
    (out / f"{first.name}.txt").write_text(run_case(first, places))
    break_reports(places.kept[first.keep])
    cases = [
        case
        for case in all_cases(places.files, places.subset)
        if fnmatch.fnmatchcase(case.name, only)
    ]
    names = [case.name for case in cases]
    assert len(set(names)) == len(names), "two cases of one name"
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {pool.submit(run_case, case, places): case for case in cases}
        for count, each in enumerate(as_completed(running), 1):
            (out / f"{running[each].name}.txt").write_text(each.result())
            if count % 20 == 0 or count == len(cases):
                say(f"{count} of {len(cases)} cases")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


# Comparing


def difference(before: str, after: str, most: int) -> list[str]:
    """A unified diff, shortened."""
    lines = [
        line if len(line) <= 240 else line[:240] + "…"
        for line in difflib.unified_diff(
            before.split("\n"), after.split("\n"), "before", "after", n=2, lineterm=""
        )
    ]
    more = len(lines) - most
    return lines if more <= 0 else [*lines[:most], f"… and {more} more lines of differences"]


def compare_recordings(options: argparse.Namespace) -> int:
    """Print what differs; the exit code says whether anything does."""
    folders = (options.before, options.after)
    found = [{path.stem: path for path in folder.glob("*.txt")} for folder in folders]
    for folder, cases in zip(folders, found, strict=True):
        if not cases:
            raise SystemExit(f"{folder}: holds no recording")
    before, after = found
    names = [name for name in sorted({*before, *after}) if fnmatch.fnmatchcase(name, options.only)]
    differing = 0
    for name in names:
        texts = [cases[name].read_text() if name in cases else None for cases in found]
        if texts[0] == texts[1]:
            continue
        differing += 1
        print(f"=== {name}")
        if texts[0] is None or texts[1] is None:
            print(f"only in {options.after if texts[0] is None else options.before}")
        else:
            print("\n".join(difference(texts[0], texts[1], options.lines)))
    print(f"{len(names)} cases, {differing} differ")
    return 1 if differing else 0


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    recorder = commands.add_parser("record", help="run everything and write down what came out")
    recorder.add_argument("out", type=Path, metavar="OUT_DIR", help="new, or empty")
    recorder.add_argument(
        "--python", type=Path, required=True, help="has the package's dependencies"
    )
    recorder.add_argument(
        "--pythonpath", type=Path, metavar="DIR", help="a checkout to run instead of the installed"
    )
    recorder.add_argument("--data", type=Path, default=SUBSET, help="the NIH subset, if there")
    recorder.add_argument("--files", type=Path, metavar="DIR", help="keep drawn files here")
    comparer = commands.add_parser("compare", help="two recordings; exit code 1 if they differ")
    comparer.add_argument("before", type=Path, metavar="BEFORE_DIR")
    comparer.add_argument("after", type=Path, metavar="AFTER_DIR")
    comparer.add_argument("--lines", type=int, default=60, help="of a case's diff at most")
    for each in (recorder, comparer):
        each.add_argument("--only", default="*", metavar="PATTERN", help="only cases so named")
    return parser.parse_args(arguments)


def main() -> int:
    options = parsed(sys.argv[1:])
    return record(options) if options.command == "record" else compare_recordings(options)


if __name__ == "__main__":
    sys.exit(main())
