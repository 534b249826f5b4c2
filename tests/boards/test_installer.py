"""The kit's installer, with a small wheel in the place of the application."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from boards import install, installer, kit, processes
from boards.kit import KitTarget
from boards.processes import Done

HERE = "{}.{}".format(*sys.version_info[:2])
MACHINE = os.uname().machine
TARGET = KitTarget("test", MACHINE, (MACHINE,), 64, (HERE,))

COMMAND = """
import sys, time

def main():
    if sys.argv[1:] == ["doctor"] and {slow}:
        print("waiting", flush=True)
        time.sleep(600)
    print("version", "{version}", *sys.argv[1:])
    sys.exit({code})
"""


def write_wheel(folder: Path, version: str, code: int, slow: bool) -> Path:
    """A wheel with an `edge-cxr` that prints its version and ends with `code`."""
    info = f"edge_cxr-{version}.dist-info"
    members = {
        "tiny.py": COMMAND.format(version=version, code=code, slow=slow),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: edge-cxr\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nedge-cxr = tiny:main\n",
    }
    members[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in members)
    path = folder / f"edge_cxr-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


class Board:
    """A folder with a blank in its name, and kits to install there."""

    def __init__(self, root: Path, pip: Path) -> None:
        self.root, self.pip = root, pip
        self.prefix = root / "a prefix"

    def kit(
        self,
        version: str = "1.0",
        *,
        target: KitTarget = TARGET,
        python: str = HERE,
        code: int = 0,
        slow: bool = False,
    ) -> Path:
        folder = self.root / f"a kit {version}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        wheel = write_wheel(folder, version, code, slow)
        for name, data in kit.contents(target, self.pip, {python: [wheel]}).items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(data)
        wheel.unlink()
        return folder

    def line(self, folder: Path, *options: str) -> list[str]:
        python = str(install.own_python())
        where = ["--python", python, "--prefix", str(self.prefix)]
        return ["sh", str(folder / "install.sh"), *where, *options]

    def install(self, folder: Path, *options: str) -> Done:
        done = processes.run(self.line(folder, *options))
        assert "Traceback" not in done.err
        return done

    def says(self) -> str:
        return processes.run([self.prefix / "bin" / "edge-cxr", "hello"]).out.strip()

    def everything(self) -> set[str]:
        return {str(path.relative_to(self.root)) for path in self.prefix.rglob("*")}


@pytest.fixture
def board(tmp_path: Path, pip: Path) -> Board:
    return Board(tmp_path, pip)


def test_upgrade_rollback_and_removal(board: Board) -> None:
    first, second, third = (board.kit(version) for version in ("1.0", "1.1", "1.2"))
    done = board.install(first)
    assert done.code == 0, done.err
    assert f"'{board.prefix}/bin/edge-cxr' classify IMAGE" in done.out
    assert board.says() == "version 1.0 hello"
    assert board.install(first, "--rollback").code == 4  # nothing before

    assert board.install(second).code == 0
    assert board.says() == "version 1.1 hello"
    shutil.rmtree(first)
    shutil.rmtree(second)
    kept = board.prefix / "share" / "edge-cxr" / "current" / "kit"
    assert board.install(kept, "--rollback").code == 0  # the kit itself is not needed
    assert board.says() == "version 1.0 hello"
    assert board.install(kept, "--rollback").code == 0
    assert board.says() == "version 1.1 hello"

    assert board.install(third).code == 0
    assert board.says() == "version 1.2 hello"
    versions = sorted((board.prefix / "share" / "edge-cxr" / "versions").iterdir())
    assert [path.name.split("-")[0] for path in versions] == ["1.1", "1.2"]

    before = board.everything()
    again = board.install(third)
    assert again.code == 0
    assert board.everything() == before

    assert board.install(kept, "--uninstall").code == 0
    assert not board.prefix.exists()
    refused = board.install(third, "--uninstall")
    assert (refused.code, refused.err) == (
        4, f"install.sh: nothing is installed below {board.prefix}\n",
    )  # fmt: skip


def test_removal_leaves_what_others_put_there(board: Board) -> None:
    other = board.prefix / "bin" / "other"
    other.parent.mkdir(parents=True)
    other.write_text("mine")
    folder = board.kit()
    assert board.install(folder).code == 0
    assert board.install(folder, "--uninstall").code == 0
    assert board.everything() == {"a prefix/bin", "a prefix/bin/other"}


@pytest.mark.parametrize(
    "name", ["wheels/edge_cxr-1.1-py3-none-any.whl", "kit.json", "installer.py", "install.sh"]
)
def test_a_flipped_byte_is_refused_and_changes_nothing(board: Board, name: str) -> None:
    assert board.install(board.kit("1.0")).code == 0
    before = board.everything()
    folder = board.kit("1.1")
    data = bytearray((folder / name).read_bytes())
    # In install.sh a comment: what still runs must notice.
    data[data.index(b"Installs") if name == "install.sh" else len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    done = board.install(folder)
    assert done.code == 3
    assert "the kit is damaged" in done.err
    assert name in done.err
    assert board.everything() == before
    assert board.says() == "version 1.0 hello"


@pytest.mark.parametrize("place", [3, 64, 70, -1])
def test_a_flipped_byte_in_the_digests_is_refused(board: Board, place: int) -> None:
    folder = board.kit()
    data = bytearray((folder / "SHA256SUMS").read_bytes())
    data[place] ^= 1
    (folder / "SHA256SUMS").write_bytes(data)
    done = board.install(folder)
    assert (done.code, done.out) == (3, "")
    assert not board.prefix.exists()


def test_a_file_that_is_missing_is_named(board: Board) -> None:
    folder = board.kit()
    (folder / "wheels" / board.pip.name).unlink()
    done = board.install(folder)
    assert done.code == 3
    assert board.pip.name in done.err


def test_killed_half_way_the_version_before_still_works(board: Board) -> None:
    assert board.install(board.kit("1.0")).code == 0
    slow = board.kit("1.1", slow=True)
    process = subprocess.Popen(board.line(slow), stdout=subprocess.PIPE, start_new_session=True)
    versions = board.prefix / "share" / "edge-cxr" / "versions"
    while not list(versions.glob("1.1-*/bin/edge-cxr")):  # pip is through, the self-test waits
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert board.says() == "version 1.0 hello"
    assert list(versions.glob("1.1-*"))

    assert board.install(board.kit("1.2")).code == 0
    assert board.says() == "version 1.2 hello"
    assert not list(versions.glob("1.1-*"))


def test_ctrl_c_leaves_nothing_of_a_first_installation(board: Board) -> None:
    slow = board.kit(slow=True)
    process = subprocess.Popen(
        board.line(slow),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    versions = board.prefix / "share" / "edge-cxr" / "versions"
    while not list(versions.glob("*/bin/edge-cxr")):
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate()
    assert said == b"install.sh: interrupted; nothing was changed\n"
    assert process.returncode == 130
    assert not board.prefix.exists()


def test_a_version_that_fails_its_self_test_is_not_used(board: Board) -> None:
    assert board.install(board.kit("1.0")).code == 0
    before = board.everything()
    done = board.install(board.kit("1.1", code=4))
    assert done.code == 4
    assert "the self-test failed" in done.err
    assert board.everything() == before

    assert board.install(board.kit("1.0"), "--uninstall").code == 0
    assert board.install(board.kit("1.1", code=4)).code == 4
    assert not board.prefix.exists()


def test_another_python_machine_or_libc_is_named(board: Board) -> None:
    other = board.install(board.kit(python="3.9"))
    assert other.code == 4
    assert "the kit has wheels for Python 3.9, not for cpython " + HERE in other.err

    target = KitTarget("pi32", "armv7l", ("armv7l",), 32, (HERE,))
    foreign = board.install(board.kit(target=target))
    assert foreign.code == 4
    assert f"(pi32) is for 32 bit armv7l, here is 64 bit Python on {MACHINE}" in foreign.err
    assert not board.prefix.exists()

    line = ["sh", str(board.kit() / "install.sh"), "--python", "no-such-python"]
    absent = processes.run(line)
    assert absent.code == 4
    assert absent.err.startswith("install.sh: there is no no-such-python")


def test_a_file_of_someone_else_is_not_replaced(board: Board) -> None:
    theirs = board.prefix / "bin" / "edge-cxr"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    done = board.install(board.kit())
    assert done.code == 4
    assert "is there already and not from a kit" in done.err
    assert theirs.read_text() == "theirs"
    assert board.everything() == {"a prefix/bin", "a prefix/bin/edge-cxr"}


def test_without_a_home_folder_it_asks_where_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(installer.Refusal, match="--prefix FOLDER"):
        installer._prefix(None)
