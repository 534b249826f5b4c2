"""The real kit, from archive to first answer, with no network."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path

import pytest

from boards import kit, sysroot
from boards import processes as measure
from boards.install import own_python
from boards.verification import EXAMPLE
from edge_app.core.errors import UsageError

HERE = "{}.{}".format(*sys.version_info[:2])
NO_NETWORK = {f"{kind}_proxy": "http://127.0.0.1:9" for kind in ("http", "https", "all")}


@pytest.fixture(scope="module")
def archive(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if platform.machine() != "x86_64":
        pytest.skip("the kit that is run here without emulation is for x86-64")
    return kit.build(kit.find("x86-64"), tmp_path_factory.mktemp("kit"), cache, (HERE,))


def test_from_the_kit_to_the_first_answer_without_network(
    archive: Path, without_network: list[str], tmp_path: Path
) -> None:
    folder = kit.unpack(archive, tmp_path / "kit")
    prefix = tmp_path / "prefix"
    environment = {**sysroot.clean_environment(), **NO_NETWORK}
    line = [
        *without_network,
        "sh",
        folder / "install.sh",
        "--prefix",
        prefix,
        "--python",
        own_python(),
    ]
    done = measure.run(line, environment)
    assert done.code == 0, done.err
    assert "ready" in done.out
    line = [*without_network, prefix / "bin" / "edge-cxr", "classify", "--json", EXAMPLE]
    answered = measure.run(line, environment)
    assert answered.code == 0, answered.err
    assert len(json.loads(answered.out)["findings"]) == 15
    print(
        f"kit: {archive.stat().st_size / 1e6:.0f} MB, installed {measure.size(prefix) / 1e6:.0f} MB"
    )
    removed = measure.run(["sh", folder / "install.sh", "--uninstall", "--prefix", prefix])
    assert removed.code == 0
    assert not prefix.exists()


def test_the_same_sources_make_the_same_archive(archive: Path, cache: Path, tmp_path: Path) -> None:
    again = kit.build(kit.find("x86-64"), tmp_path, cache, (HERE,))
    assert again.read_bytes() == archive.read_bytes()
    digest = again.with_name(again.name + ".sha256").read_text()
    assert digest == archive.with_name(archive.name + ".sha256").read_text()


def test_unknown_targets_and_pythons_are_named(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(UsageError, match="there are pi64, pi32, x86-64"):
        kit.find("pi128")
    with pytest.raises(UsageError, match=r"no Python 2\.7: there are 3\.11, 3\.13"):
        kit.build(kit.find("pi64"), tmp_path, cache, ("2.7",))
    assert os.listdir(tmp_path) == []
