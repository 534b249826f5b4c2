"""Sources beyond the file system: a store in memory, and a real S3 server on this machine."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from itertools import count, islice
from pathlib import Path

import pytest

from edge_app.archive import remote
from edge_app.archive.remote import is_address
from edge_app.core.errors import MissingExtraError
from edge_app.pipeline import parquet

from ..conftest import Run

pytest.importorskip("pyarrow", reason="pip install 'edge-cxr[archive]'")
fsspec = pytest.importorskip("fsspec", reason="pip install 'edge-cxr[archive]'")

MODEL = ("--model", "cxr-cnn28", "--threads", 1, "--workers", 1)


@pytest.fixture
def store(picture: Path) -> Iterator[str]:
    """Three radiographs and a hidden file at an address."""
    system = fsspec.filesystem("memory")
    for name in ("a/1.png", "a/b/2.png", "3.png", ".hidden"):
        system.pipe(f"/xrays/{name}", picture.read_bytes())
    yield "memory://xrays"
    system.rm("/xrays", recursive=True)


def names(folder: Path) -> list[str]:
    return sorted(parquet.names(parquet.parts_of(folder)))


def test_everything_at_an_address_is_answered_once(run: Run, store: str, tmp_path: Path) -> None:
    line = ("archive", store, f"{store}/a/1.png", "--out", tmp_path / "a", *MODEL)
    done = run(*line)
    assert done.returncode == 0, done.stderr
    expected = [f"xrays/{name}" for name in ("3.png", "a/1.png", "a/b/2.png")]
    assert [
        name.removeprefix("memory://").lstrip("/") for name in names(tmp_path / "a")
    ] == expected
    fsspec.filesystem("memory").pipe("/xrays/c/broken.png", b"no picture")
    done = run(*line)
    assert done.returncode == 3
    assert "4  sources answered" in done.stdout


def test_trouble_on_the_way_blames_no_image(
    run: Run, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    def broken(*_: object, **__: object) -> object:
        raise OSError("the line\nis dead")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryFileSystem, "_open", broken)
        done = run("archive", store, "--out", tmp_path / "a", *MODEL)
    assert done.returncode == 3
    assert "cannot be reached: the line is dead: once it can, the same command" in done.stderr
    assert run("archive", store, "--out", tmp_path / "a", *MODEL).returncode == 0
    assert len(names(tmp_path / "a")) == 3


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("memory://nowhere", "nothing is there"),
        ("nonsense://x", "nonsense://x: cannot be reached"),
    ],
)
def test_an_address_with_nothing_there_is_said(
    run: Run, tmp_path: Path, address: str, words: str
) -> None:
    done = run("archive", address, "--out", tmp_path / "a", *MODEL)
    assert done.returncode == 3
    assert words in done.stderr


def test_a_missing_package_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
    done = run("archive", "s3://x/y", "--out", tmp_path / "a", *MODEL)
    assert done.returncode == MissingExtraError.exit_code
    assert "needs fsspec: pip install 'edge-cxr[archive]'" in done.stderr


def test_the_first_name_comes_before_a_bucket_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.asyn import get_loop

    requests: list[tuple[str, str, str]] = []

    class Endless:
        """A bucket of more names than anybody could wait for, listed as s3fs does."""

        loop = get_loop()

        def isfile(self, path: str) -> bool:
            return False

        def unstrip_protocol(self, name: str) -> str:
            return f"s3://{name}"

        async def _iterdir(
            self, bucket: str, delimiter: str, prefix: str
        ) -> AsyncIterator[dict[str, str]]:
            requests.append((bucket, delimiter, prefix))
            for number in count():
                name = f"bucket/2026/{number}.png" if number else "bucket/2026/"
                yield {"name": name, "type": "file"}

    monkeypatch.setattr(remote, "_opened", lambda address: (Endless(), "bucket/2026"))
    found = list(islice(remote.below("s3://bucket/2026"), 2500))
    assert found == [f"s3://bucket/2026/{number}.png" for number in range(1, 2501)]
    assert requests == [("bucket", "", "2026/")]


@pytest.mark.parametrize("name", ["/a/b.png", "a:b", "C://x", "://x", "a b://c"])
def test_names_of_files_are_no_addresses(name: str) -> None:
    assert not is_address(name)


def test_a_bucket_of_a_real_server(
    run: Run, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("s3fs", reason="pip install -e '.[s3-server]'")
    server = pytest.importorskip("moto.server", reason="pip install -e '.[s3-server]'")
    here = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    here.start()
    try:
        host, port = here.get_host_and_port()
        place = f"http://{host}:{port}"
        for key, value in (
            ("AWS_ACCESS_KEY_ID", "none"),
            ("AWS_SECRET_ACCESS_KEY", "none"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", place),
            ("AWS_MAX_ATTEMPTS", "1"),
        ):
            monkeypatch.setitem(os.environ, key, value)
        system = fsspec.filesystem("s3")
        system.mkdir("radiographs")
        for number in range(5):
            system.pipe(f"radiographs/2026/{number}.png", picture.read_bytes())
        system.pipe("radiographs/2025/broken.png", b"no picture")
        line = ("archive", "s3://radiographs", "--out", tmp_path / "a", *MODEL)
        done = run(*line)
        assert done.returncode == 3, done.stderr
        assert "6  sources answered" in done.stdout
        assert names(tmp_path / "a")[-1] == "s3://radiographs/2026/4.png"
        done = run("archive", "s3://radiographs/2026", "--out", tmp_path / "b", *MODEL)
        assert "5  sources answered" in done.stdout, done.stderr
        here.stop()
        system.invalidate_cache()
        done = run(*line)
        assert done.returncode == 3
        assert "s3://radiographs: cannot be reached" in done.stderr
    finally:
        here.stop()
