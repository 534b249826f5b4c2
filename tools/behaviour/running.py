"""Running a case, and its output as text."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tools.behaviour.cases import Case, Step
from tools.behaviour.settings import NORMALISED, SECONDS


@dataclass(frozen=True)
class Places:
    """The paths of one recording.

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
        """Links for a case's folder, with names that do not depend on this machine."""
        for path in sorted(self.files.iterdir()):
            if path.is_dir():
                yield path.name, path
        yield from self.kept.items()
        if self.subset:
            yield "nih", self.subset

    def replace(self, text: str) -> str:
        """Replace this recording's paths by names, because a checkout may be anywhere."""
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
    """Control characters as readable escapes, which no editor changes."""
    return "".join(
        c if c == "\n" or c.isprintable() or c in "\u00a0" else ascii(c)[1:-1] for c in text
    )


def run_case(case: Case, places: Places) -> str:
    """All output of a case, as text."""
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
    """The keys of a JSON text, and the types of their values."""
    try:
        content = json.loads(text)
    except ValueError:
        return text
    paths = dict.fromkeys(_paths(content, "$"))
    paths.pop("$.warnings[]: str", None)  # present on a busy machine only
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
    """A written file: its content if it is text, otherwise its digests."""
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
