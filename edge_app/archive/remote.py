"""Sources beyond the file system, as addresses: ``s3://bucket/folder``, and whatever else fsspec
and its packages know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from edge_app.core.errors import DatasetError, ImageError, MissingExtraError
from edge_app.core.plain_text import plain
from edge_app.images.radiograph import Limits, Radiograph
from edge_app.images.read import read_image
from edge_app.pipeline.reader import read_source

ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]+://")

PAGE: Final = 1000
"""Names that are asked for together, as many as S3 gives at once."""


def is_address(name: str) -> bool:
    """Whether a source lies beyond the file system."""
    return ADDRESS.match(name) is not None


def below(address: str) -> Iterator[str]:
    """All sources at an address, each as soon as its name is known; hidden ones are passed over.

    Raises:
        DatasetError: it cannot be reached, or nothing is there.
        MissingExtraError: a package that is needed is not installed.
    """
    system, path = _opened(address)
    try:
        if system.isfile(path):
            yield str(system.unstrip_protocol(path))
            return
        found = False
        for facts in _entries(system, path):
            name = str(facts["name"])
            last = name.rsplit("/", 1)[-1]  # empty: an object that stands for a folder
            if facts["type"] == "file" and last and not last.startswith("."):
                found = True
                yield str(system.unstrip_protocol(name))
    except Exception as error:
        raise _unreachable(address, error) from None
    if not found:
        raise DatasetError(f"{plain(address)}: nothing is there")


def _entries(system: Any, path: str) -> Iterator[dict[str, Any]]:
    """What is below a path: page by page where the file system lists so, else folder by folder.

    fsspec's own interface gives a folder whole, and a bucket may be one folder of millions; s3fs
    has an asynchronous generator of its pages.
    """
    listed = getattr(system, "_iterdir", None)
    bucket, _, folder = path.partition("/")
    if listed is None or not bucket:
        for _, _, files in system.walk(path, detail=True):
            yield from files.values()
        return
    from fsspec.asyn import sync

    pages = listed(bucket, delimiter="", prefix=f"{folder}/" if folder else "")

    async def some() -> list[dict[str, Any]]:
        found = []
        async for each in pages:
            found.append(each)
            if len(found) == PAGE:
                break
        return found

    while entries := sync(system.loop, some):
        yield from entries


def read_any(source: str, limits: Limits, min_side: int | None = None) -> Radiograph:
    """The radiograph in a file or at an address.

    Raises:
        ImageError: it cannot be read, or is no longer there.
        DatasetError: its place cannot be reached, which says nothing of the image.
    """
    if not is_address(source):
        return read_source(source, limits, min_side)
    system, path = _opened(source)
    try:
        with system.open(path, "rb") as file:
            return read_image(file, limits, min_side)
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError("is no longer there") from None
    except PermissionError:
        raise ImageError("no permission to read it") from None
    except Exception as error:
        raise _unreachable(source, error) from None


def _opened(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path there."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise MissingExtraError(
            f"{plain(address)} needs fsspec: pip install 'edge-cxr[archive]'"
        ) from None
    try:
        system, path = url_to_fs(address)
    except ImportError as error:
        raise MissingExtraError(f"{plain(address)}: {_in_a_line(error)}") from None
    except Exception as error:
        raise _unreachable(address, error) from None
    return system, str(path)


def _unreachable(address: str, error: Exception) -> DatasetError:
    return DatasetError(
        f"{plain(address)}: cannot be reached: {_in_a_line(error)}: once it can, the same command "
        "goes on where it stopped"
    )


def _in_a_line(error: Exception) -> str:
    return plain(" ".join(str(error).split()))[:200] or type(error).__name__
