"""The Debian package of this checkout's wheel, without the packages that it needs."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from boards import deb, downloads, kit

HERE = "{}.{}".format(*sys.version_info[:2])
OTHER = "3.13" if HERE != "3.13" else "3.12"


@pytest.fixture(scope="module")
def reported() -> list[str]:
    """What is said while the package is made."""
    return []


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, reported: list[str]) -> Path:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed: it comes with Debian")
    if platform.machine() != "x86_64":
        pytest.skip("what the package holds is started here, on x86-64 alone")
    work = tmp_path_factory.mktemp("deb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(downloads, "wheels_for", lambda *_: [])
        return deb.build(kit.find("x86-64"), work, work, (HERE, OTHER), reported.append)


@pytest.fixture(scope="module")
def root(package: Path) -> Path:
    folder = package.parent / "root"
    subprocess.run(["dpkg-deb", "-R", package, folder], check=True)
    return folder


def field(package: Path, name: str) -> str:
    done = subprocess.run(
        ["dpkg-deb", "--field", package, name], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_it_asks_for_one_of_the_pythons_that_it_has_a_folder_for(package: Path, root: Path) -> None:
    assert field(package, "Architecture") == "amd64"
    alternatives, *_ = field(package, "Depends").split(", ")
    assert set(alternatives.split(" | ")) == {f"python{HERE}", f"python{OTHER}"}
    assert {path.name for path in (root / deb.HOME).iterdir()} == set(alternatives.split(" | "))


def test_each_step_is_reported(package: Path, reported: list[str]) -> None:
    steps = " ".join(reported)
    assert f"Python {HERE} (1 of 2): unpacking 1 packages …" in reported
    assert f"Python {OTHER} (2 of 2): fetching its wheels" in steps
    assert reported[-1] == f"compressing {package.name}, which takes longest …"


def test_dpkg_can_tell_whether_a_file_was_changed(root: Path) -> None:
    sums = root / "DEBIAN" / "md5sums"
    subprocess.run(["md5sum", "--quiet", "-c", sums], cwd=root, check=True)
    listed = {line[34:] for line in sums.read_text().splitlines()}
    there = {str(path.relative_to(root)) for path in deb._files(root / "usr")}
    assert listed == there
    # The settings are the operator's: an upgrade asks before it replaces them.
    assert (root / "DEBIAN" / "conffiles").read_text() == "/etc/edge-cxr/box.toml\n"


def test_only_root_can_change_what_it_installs(package: Path) -> None:
    listing = subprocess.run(
        ["dpkg-deb", "--contents", package], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert {line.split()[1] for line in listing} == {"root/root"}
    assert not [line for line in listing if line[0] != "l" and "w" in line[5:10]]
    readable = [line for line in listing if line[0] != "l" and line[7] != "r"]
    assert not readable


def test_a_file_that_all_pythons_share_is_there_once(package: Path) -> None:
    listing = subprocess.run(
        ["dpkg-deb", "--contents", package], check=True, capture_output=True, text=True
    ).stdout
    models = [line for line in listing.splitlines() if "cxr-lite0-128.tflite" in line]
    assert len(models) == 2
    assert len([line for line in models if " link to " in line]) == 1


def test_the_command_takes_the_python_that_is_there_and_no_code_from_its_folder(
    root: Path, tmp_path: Path
) -> None:
    absent = root / deb.HOME / f"python{OTHER}" / "bin" / "python3"
    absent.unlink()
    absent.symlink_to("/nowhere/python3")
    there = root / deb.HOME / f"python{HERE}" / "bin" / "python3"
    there.unlink()
    there.symlink_to(sys.executable)
    command = (root / "usr/bin/edge-cxr").read_text().replace("/usr/lib", f"{root}/usr/lib")
    (tmp_path / "edge_app.py").write_text("raise SystemExit(99)")
    done = subprocess.run(
        ["sh", "-c", command, "edge-cxr", "--version"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    # Its environment has the application alone: what is missing is named, in the package's words.
    assert done.returncode != 99
    assert str(root) in done.stderr or done.stdout.startswith("edge-cxr ")


def test_without_any_of_its_pythons_the_command_says_so(root: Path) -> None:
    command = (root / "usr/bin/edge-cxr").read_text().replace("/usr/lib", "/nowhere")
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert done.stderr == "edge-cxr: there is no Python here that this package is made for\n"
