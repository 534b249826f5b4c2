"""Folders of inputs: labelled data sets, models, reports."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from tools.behaviour.dicoms import dicom, dicom_files, module
from tools.behaviour.pictures import (
    Files,
    another_chest,
    chest,
    damaged_files,
    deep,
    foreign_files,
    geometry_files,
    jpeg_files,
    misnamed_files,
    other_rasters,
    photograph,
    png_files,
    saved,
    tiff_files,
)
from tools.behaviour.settings import CNN, FINISHED, LABELS, MODELS, REPOSITORY


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
    """A small folder with subfolders, hidden files, good and broken pictures."""
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
    """A ChestMNIST archive and a CSV of pixels, which the workstation reads as well as folders."""
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
    """Copies with a sound archive and a wrong manifest or member."""

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
    """Broken copies of a report that the recorded version has just written."""
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
