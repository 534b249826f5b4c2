"""Models installed, and rolled back: checked, tried, and only then current.

A killed installation leaves the version before as it was. Signed versions of a model only go up:
going back is asked for by name, and leads to what was installed before.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from edge_app.backends.options import BackendOptions
from edge_app.core import trust
from edge_app.core.errors import ModelError, OutputError, SignatureError, UsageError
from edge_app.core.files import UnreadableError, read_bounded, sync_folder, write_whole
from edge_app.core.trust import Origin
from edge_app.inspection.catalogue import verified
from edge_app.model import installed
from edge_app.model.model_file import MAX_FILE_BYTES, ModelFile, parse


class Installed(NamedTuple):
    """What answers to a name now.

    Attributes:
        name: of the model.
        path: its file.
        version: serial number, or ``unsigned-…``.
        before: the version that it took the place of.
        origin: who made it.
    """

    name: str
    path: Path
    version: str
    before: str | None
    origin: Origin


def install(path: Path, options: BackendOptions) -> Installed:
    """Install a model file under its own name.

    Args:
        path: of the model file; its signature lies beside it, if it has one.
        options: the backend that its golden vectors are tried on.

    Raises:
        ModelError: it is no model file, or one that does not work here.
        SignatureError: this place does not trust it, or has a later version.
        OutputError: it cannot be written.
    """
    model, data, signature = _read(path)
    assert model.origin is not None
    home = installed.folder() / model.name
    with _locked(home):
        version = home / _version_name(model, data)
        _require_no_way_back(path, home, version, model.origin, data)
        current = installed.current(home)
        if current != version:
            _remove_leftovers(home)
            try:
                _fill(version, model.name, data, signature)
                tried = verified(version / f"{model.name}.tflite", options)
                if "error" in tried:
                    raise ModelError(tried["error"])
            except BaseException:
                if version != (current and installed.before(current)):
                    shutil.rmtree(version, ignore_errors=True)
                raise
            _make_current(home, version)
            _remove_leftovers(home)
    return _result(model.name, home, model.origin)


def roll_back(name: str) -> Installed:
    """Let the version before answer to a name again; a second time changes back.

    Raises:
        UsageError: there is none.
        SignatureError: this place does not trust it any more.
        OutputError: it cannot be written.
    """
    home = installed.folder() / name
    if installed.find(name) is None:
        raise UsageError(f"no model {name!r} is installed: see edge-cxr models list")
    with _locked(home):
        current = installed.current(home)
        version = installed.before(current) if current else None
        if version is None:
            raise UsageError(f"{name}: no version was installed before this one")
        model, _, _ = _read(version / f"{name}.tflite")
        _make_current(home, version)
    assert model.origin is not None
    return _result(name, home, model.origin)


def _read(path: Path) -> tuple[ModelFile, bytes, bytes | None]:
    """A model file, its bytes and its signature, held to what this place asks for."""
    try:
        data, signature = read_bounded(path, MAX_FILE_BYTES), trust.read_signature(path)
        model = parse(path, data)
        keys = trust.pinned()
        origin = trust.origin(data, signature, "model", model.name, keys)
        trust.require(origin, keys)
    except UnreadableError as error:
        raise ModelError(f"{path}: {error}") from None
    except ModelError as error:
        raise type(error)(f"{path}: {error}") from None
    return model._replace(origin=origin), data, signature


def _version_name(model: ModelFile, data: bytes) -> str:
    import hashlib

    assert model.origin is not None
    if model.origin.serial is not None:
        return str(model.origin.serial)
    return f"unsigned-{hashlib.sha256(data).hexdigest()[:16]}"


def _require_no_way_back(
    path: Path, home: Path, version: Path, origin: Origin, data: bytes
) -> None:
    """Refuse what is older than what was installed, and what only says that it is the same."""
    known = [n for n in map(installed.serial, home.iterdir()) if n is not None]
    latest = max(known, default=None)
    if latest is None:
        return
    again = f"to go back to what was installed before: edge-cxr models rollback {home.name}"
    if origin.serial is None:
        raise SignatureError(f"{path}: {origin.words}, and the installed one is signed; {again}")
    if origin.serial < latest:
        raise SignatureError(
            f"{path}: has serial {origin.serial}, and {latest} was installed already; {again}"
        )
    there = version / f"{home.name}.tflite"
    if origin.serial == latest and there.is_file() and there.read_bytes() != data:
        raise SignatureError(
            f"{path}: has the serial {latest} of another file, which is installed: ask its maker"
        )


def _fill(version: Path, name: str, data: bytes, signature: bytes | None) -> None:
    version.mkdir(mode=0o755, exist_ok=True)
    write_whole(version / f"{name}.tflite", data)
    if signature is not None:
        write_whole(version / f"{name}.tflite{trust.SUFFIX}", signature)


def _make_current(home: Path, version: Path) -> None:
    """Let a version answer to the name. The way back is there before it does."""
    current = installed.current(home)
    if current is not None and current != version:
        _point(version / installed.BEFORE, os.path.join("..", current.name))
        sync_folder(version)
    _point(home / installed.CURRENT, version.name)
    sync_folder(home)


def _point(link: Path, target: str) -> None:
    fresh = link.with_name(f".{secrets.token_hex(8)}.partial")
    fresh.symlink_to(target)
    os.replace(fresh, link)


def _remove_leftovers(home: Path) -> None:
    """Remove what is neither current, nor before it, nor the latest signed version."""
    current = installed.current(home)
    numbers = [n for n in map(installed.serial, home.iterdir()) if n is not None]
    kept = {current, installed.before(current) if current else None}
    kept.add(home / str(max(numbers)) if numbers else None)
    for place in home.iterdir():
        if place.is_dir() and not place.is_symlink() and place not in kept:
            shutil.rmtree(place, ignore_errors=True)
        elif place.name.endswith(".partial"):
            place.unlink()


def _result(name: str, home: Path, origin: Origin) -> Installed:
    version = installed.current(home)
    assert version is not None
    before = installed.before(version)
    path = version / f"{name}.tflite"
    return Installed(name, path, version.name, before.name if before else None, origin)


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Within it, nobody else installs a model of this name; what is made, others may read only."""
    mask = os.umask(0o022)
    descriptor = None
    try:
        home.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise OutputError(f"{home}: another installation is at work here: wait for it") from None
    except OSError as error:
        place = error.filename or home
        raise OutputError(f"{place}: the model cannot be installed: {error.strerror}") from None
    finally:
        if descriptor is not None:
            os.close(descriptor)
        os.umask(mask)
