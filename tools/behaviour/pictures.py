"""The input files that are pictures, good and broken, drawn the same every time."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from functools import partial
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.behaviour.settings import REPOSITORY, Pixels


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
"""Passes of an interlaced PNG: first row and column, and the steps of both."""


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
    return {**_sound_pngs(), **_strange_pngs()}


def _sound_pngs() -> Files:
    """Every depth and colour type, palettes, transparency, orientation."""
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
    return {
        "png-gray8.png": saved(gray, "PNG"),
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
    }


def _strange_pngs() -> Files:
    """Odd or damaged metadata, and pixel data that is not what the header says."""
    picture, size = chest(), (256, 256)
    gray = Image.fromarray(picture)
    plain = saved(gray, "PNG")
    place = plain.index(b"IDAT")
    rows = b"".join(b"\0" + row.tobytes() for row in picture)
    packed, wrong_filter = zlib.compress(rows), zlib.compress(b"\7" + rows[1:])
    return {
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
    """Sizes, shapes, brightness and subjects that a network was not made for."""
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
        "too-bright": np.minimum(picture.astype(int) * 3, 255).astype(np.uint8),
        "too-dark": picture // 8,
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
"""Unusual file names that Linux allows."""


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
