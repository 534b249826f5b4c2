"""Made-up files that ask for as much time and memory as their format lets them.

    python -m tests.device.images.greedy [--isolate] [NAME...]

Each goes through `edge-cxr classify` alone; a line says what became of it, in how many seconds and
megabytes. Exit code 1 where one of them takes more than `SECONDS` or `MEGABYTES`.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate

from ..pictures import dicom

SECONDS: Final = 5.0
MEGABYTES: Final = 600
SIDE: Final = 5000
"""Of the largest square picture that is read."""

COMMAND: Final = (sys.executable, "-m", "edge_app", "classify", "--json", "--force")


def gray(side: int = SIDE) -> Any:
    """A smooth picture with some noise in it, side×side uint8."""
    down, across = np.indices((side, side), dtype=np.uint16)
    noise = np.random.default_rng(1).integers(0, 8, (64, 64), np.uint8)
    tiled = np.tile(noise, (-(-side // 64), -(-side // 64)))[:side, :side]
    return ((down + across) % 240).astype(np.uint8) + tiled


def saved(pixels: Any, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def colour(channels: int, side: int = SIDE) -> Any:
    planes = np.stack([gray(side), *[np.flipud(gray(side))] * 2], axis=2)
    if channels == 4:
        planes = np.dstack([planes, gray(side)])
    return planes


def turned() -> Any:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def rle(segments: Sequence[bytes], side: int = SIDE, starts: Sequence[int] | None = None) -> bytes:
    """A DICOM of these RLE segments, which may be said to begin elsewhere."""
    at = [64]
    for each in segments[:-1]:
        at.append(at[-1] + len(each))
    header = struct.pack("<16L", len(segments), *(starts or at), *[0] * (15 - len(segments)))
    frame = header + b"".join(segments)
    bits = 8 * len(segments)
    small = np.zeros((8, 8), np.uint8 if bits == 8 else np.uint16)
    data = encapsulate([frame + bytes(len(frame) % 2)])
    return dicom(small, bits, uid.RLELossless, Rows=side, Columns=side, PixelData=data)


def literals(pixels: int) -> bytes:
    """Runs of one byte each: the most runs that a picture can have."""
    return b"\0\x55" * pixels


def jpeg_2000(**options: Any) -> bytes:
    return saved(gray(), "JPEG2000", no_jp2=True, **options)


def in_dicom(frame: bytes, syntax: str, bits: int = 8, side: int = SIDE) -> bytes:
    small = np.zeros((8, 8), np.uint8 if bits == 8 else np.uint16)
    data = encapsulate([frame + bytes(len(frame) % 2)])
    return dicom(small, bits, syntax, Rows=side, Columns=side, PixelData=data)


def bomb(kind: str) -> bytes:
    """A PNG whose pixels are all one byte."""
    colours, depth = {"gray16": (0, 16), "rgba16": (6, 16), "rgba8": (6, 8)}[kind]
    row = {"gray16": 2, "rgba16": 8, "rgba8": 4}[kind] * SIDE + 1
    packed = zlib.compress(bytes(row * SIDE), 9)

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data
            + struct.pack(">I", zlib.crc32(name + data))
        )  # fmt: skip

    head = struct.pack(">IIBBBBB", SIDE, SIDE, depth, colours, 0, 0, 0)
    parts = (b"IHDR", head), (b"IDAT", packed), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


FILES: Final[dict[str, Callable[[], bytes]]] = {
    "rle-8-literals": lambda: rle([literals(SIDE * SIDE)]),
    "rle-16-literals": lambda: rle([literals(SIDE * SIDE)] * 2),
    "rle-16-long": lambda: rle([b"\x81\x55" * (SIDE * SIDE // 128 + 1)] * 2),
    "rle-no-ops": lambda: rle([b"\x80" * 120_000_000]),
    "rle-overlapping-no-ops": lambda: rle([b"\x80" * 15_000_000, b""], starts=[64, 64]),
    "rle-short-of-one": lambda: rle([literals(SIDE * SIDE - 1)]),
    "webp-rgb": lambda: saved(colour(3), "WEBP", quality=80, method=0),
    "webp-rgba": lambda: saved(colour(4), "WEBP", quality=80, method=0),
    "webp-rgba-turned": lambda: saved(colour(4), "WEBP", quality=80, method=0, exif=turned()),
    "webp-lossless-rgba": lambda: saved(colour(4), "WEBP", lossless=True, quality=0, method=0),
    "png-rgba": lambda: saved(colour(4), "PNG", compress_level=1),
    "png-rgba-turned": lambda: saved(colour(4), "PNG", compress_level=1, exif=turned()),
    "png-rgba16-bomb": lambda: bomb("rgba16"),
    "png-gray16-bomb": lambda: bomb("gray16"),
    "png-palette-transparent": lambda: saved(gray(), "PNG", compress_level=1, transparency=3),
    "tiff-rgba": lambda: saved(colour(4), "TIFF", compression="tiff_lzw"),
    "tiff-rgba-turned": lambda: saved(colour(4), "TIFF", tiffinfo={0x0112: 6}),
    "tiff-one-row-strips": lambda: saved(gray(), "TIFF", compression="packbits", tiffinfo={278: 1}),
    "jpeg-progressive": lambda: saved(colour(3), "JPEG", progressive=True, quality=95),
    "jpeg-cmyk": lambda: saved_cmyk(),
    "bmp-rgb": lambda: saved(colour(3), "BMP"),
    "jpeg2000-one-tile": lambda: in_dicom(jpeg_2000(irreversible=False), uid.JPEG2000Lossless),
    "jpeg2000-tiles-of-128": lambda: in_dicom(
        jpeg_2000(tile_size=(128, 128)), uid.JPEG2000Lossless
    ),
    "jpeg2000-tiles-of-20": lambda: in_dicom(jpeg_2000(tile_size=(20, 20)), uid.JPEG2000Lossless),
    "jpeg2000-blocks-of-4": lambda: in_dicom(
        jpeg_2000(codeblock_size=(4, 4)), uid.JPEG2000Lossless
    ),
    "jpeg2000-precincts-of-32": lambda: in_dicom(
        jpeg_2000(precinct_size=(32, 32), codeblock_size=(16, 16)), uid.JPEG2000Lossless
    ),
    "jpeg2000-noise-16": lambda: in_dicom(noise_16(), uid.JPEG2000Lossless, 16),
    "dicom-16": lambda: dicom(gray().astype(np.uint16) * 256, 16),
}  # fmt: skip


def noise_16() -> bytes:
    """What takes a JPEG 2000 decoder longest: nothing in it can be foretold."""
    return saved(
        np.random.default_rng(1).integers(0, 1 << 16, (SIDE, SIDE), np.uint16),
        "JPEG2000",
        no_jp2=True,
        irreversible=False,
    )


def saved_cmyk() -> bytes:
    file = io.BytesIO()
    Image.fromarray(colour(4), "CMYK").save(file, "JPEG", quality=95)
    return file.getvalue()


class Cost(NamedTuple):
    """What a file took: seconds of processor, megabytes of its processes, and its answer."""

    seconds: float
    megabytes: int
    answer: str


def cost(path: Path, options: Sequence[str] = ()) -> Cost:
    """What `edge-cxr classify` takes for a file, its start included."""
    with tempfile.TemporaryFile() as out:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        process = subprocess.Popen(
            [*COMMAND, *options, str(path)], stdout=out, stderr=subprocess.DEVNULL
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, _held(process.pid))
            time.sleep(0.005)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        out.seek(0)
        said = out.read().decode()
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    answer = json.loads(said) if said else {"error": {"message": f"code {process.returncode}"}}
    error = answer.get("error", {}).get("message")
    return Cost(seconds, peak >> 10, error or "answered")


def _held(process: int) -> int:
    """KiB that a process and its children hold at this moment, the most so far of each."""
    total = 0
    for each in (process, *_children(process)):
        try:
            status = Path(f"/proc/{each}/status").read_text()
        except OSError:
            continue
        total += next((int(x.split()[1]) for x in status.splitlines() if "VmHWM" in x), 0)
    return total


def _children(process: int) -> list[int]:
    try:
        return [
            int(n) for n in Path(f"/proc/{process}/task/{process}/children").read_text().split()
        ]
    except OSError:
        return []


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Made-up files through edge-cxr classify.")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--isolate", action="store_true")
    parsed = parser.parse_args(arguments)
    options = ["--isolate"] if parsed.isolate else []
    over = 0
    print(f"{'file':<28} {'MB of file':>10} {'seconds':>8} {'MB':>5}  answer")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        for name in parsed.names or FILES:
            path.write_bytes(FILES[name]())
            found = cost(path, options)
            size = os.path.getsize(path) / 1e6
            bad = found.seconds > SECONDS or found.megabytes > MEGABYTES
            over += bad
            print(
                f"{name:<28} {size:10.1f} {found.seconds:8.2f} {found.megabytes:5}"
                f"{' !' if bad else '  '} {found.answer[:90]}",
                flush=True,
            )
    print(f"{over} over {SECONDS:g} s or {MEGABYTES} MB")
    return int(bool(over))


if __name__ == "__main__":
    sys.exit(main())
