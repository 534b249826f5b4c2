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
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from boards import install, installer, kit, processes
from boards.kit import KitTarget
from boards.processes import Done
from boards.wheels import REPOSITORY
from edge_app.core import signing

HERE = "{}.{}".format(*sys.version_info[:2])
MACHINE = os.uname().machine
TARGET = KitTarget("test", MACHINE, (MACHINE,), 64, (HERE,))

COMMAND = """
import sys, time

def main():
    if sys.argv[1] == "upgrade":
        sys.path.insert(0, {application!r})
        from pathlib import Path
        from edge_app.core.errors import EdgeCxrError
        from edge_app.inspection import kits
        try:
            if sys.argv[2] != "--check":
                sys.exit(kits.upgrade(Path(sys.argv[2])))
            found = kits.checked(Path(sys.argv[3]), kits.installation())
            print("checked:", found.origin.words)
            return
        except EdgeCxrError as error:
            print(f"edge-cxr: {{error}}", file=sys.stderr)
            sys.exit(error.exit_code)
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
        "tiny.py": COMMAND.format(
            version=version, code=code, slow=slow, application=str(REPOSITORY)
        ),
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
        serial: int | None = None,
        key: str = "ours",
    ) -> Path:
        folder = self.root / f"a kit {version}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        wheel = write_wheel(folder, version, code, slow)
        members = kit.contents(target, self.pip, {python: [wheel]})
        if serial is not None:
            members |= kit.signed(members, target, self.key(key), serial)
        for name, data in members.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(data)
        wheel.unlink()
        return folder

    def key(self, name: str) -> signing.SecretKey:
        """The key of that name; made at its first use."""
        place = self.root / f"{name}.key"
        if not place.exists():
            signing.make(place, "")
        return signing.read(place, lambda: "")

    def trust(self, name: str, *lines: str) -> None:
        """Have this place trust a key."""
        self.key(name)
        self.keys.parent.mkdir(parents=True, exist_ok=True)
        public = signing.public_place(self.root / f"{name}.key").read_text()
        self.keys.write_text("\n".join((public, *lines)))

    @property
    def keys(self) -> Path:
        return self.root / "config" / "edge-cxr" / "keys"

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
def board(tmp_path: Path, pip: Path, monkeypatch: pytest.MonkeyPatch) -> Board:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return Board(tmp_path, pip)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, pip: Path) -> Iterator[Board]:
    """Version 1.0 is installed; nothing changes it."""
    board = Board(tmp_path_factory.mktemp("installed"), pip)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(board.root / "config"))
        assert board.install(board.kit("1.0")).code == 0
        yield board


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
def test_a_flipped_byte_is_refused_and_changes_nothing(installed: Board, name: str) -> None:
    before = installed.everything()
    folder = installed.kit("1.1")
    data = bytearray((folder / name).read_bytes())
    # In install.sh a comment: what still runs must notice.
    data[data.index(b"Installs") if name == "install.sh" else len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    done = installed.install(folder)
    assert done.code == 3
    assert "the kit is damaged" in done.err
    assert name in done.err
    assert installed.everything() == before
    assert installed.says() == "version 1.0 hello"


@pytest.mark.parametrize("place", [3, 64, 70, -1])
def test_a_flipped_byte_in_the_digests_is_refused(board: Board, place: int) -> None:
    folder = board.kit()
    data = bytearray((folder / "SHA256SUMS").read_bytes())
    data[place] ^= 1
    (folder / "SHA256SUMS").write_bytes(data)
    done = board.install(folder)
    assert (done.code, done.out) == (3, "checking the kit's files …\n")
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
    said, _ = process.communicate()
    assert [line for line in said.decode().splitlines() if line.endswith("…")][:4] == [
        "checking the kit's files …",
        f"installing edge-cxr 1.1 for Python {HERE} …",
        "making its environment …",
        "unpacking 1 packages …",
    ]
    assert board.says() == "version 1.0 hello"
    assert list(versions.glob("1.1-*"))

    assert board.install(board.kit("1.2")).code == 0
    assert board.says() == "version 1.2 hello"
    assert not list(versions.glob("1.1-*"))


def test_a_step_that_takes_long_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(installer, "PATIENCE", 0.3)
    unpack = """
import pathlib, sys, time
for name in ("a", "b"):
    info = pathlib.Path(sys.argv[1], "lib/python3/site-packages", name + "-1.dist-info")
    info.mkdir(parents=True)
print("unpacked")
time.sleep(1)"""
    line = [sys.executable, "-c", unpack, tmp_path]
    done = installer._started(line, lambda: f"{installer._unpacked(tmp_path)} of 2")
    assert (done.returncode, done.stdout) == (0, "unpacked\n")
    assert capsys.readouterr().out.splitlines()[-1] == "  2 of 2"


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
    refused = board.install(board.kit(target=target))
    assert refused.code == 4
    assert f"(pi32) is for 32 bit armv7l, here is 64 bit Python on {MACHINE}" in refused.err
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


def test_two_first_installations_at_once_leave_one(board: Board) -> None:
    slow, other = board.kit("1.0", slow=True), board.kit("1.1")
    process = subprocess.Popen(board.line(slow), stdout=subprocess.PIPE, start_new_session=True)
    versions = board.prefix / "share" / "edge-cxr" / "versions"
    while not list(versions.glob("1.0-*/bin/edge-cxr")):
        assert process.poll() is None
        time.sleep(0.05)
    done = board.install(other)
    assert (done.code, done.err) == (
        4, "install.sh: another installer is at work here: wait for it\n",
    )  # fmt: skip
    assert list(versions.glob("1.0-*/bin/edge-cxr"))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert board.install(other).code == 0
    assert board.says() == "version 1.1 hello"
    models = versions.parent / "models"
    models.mkdir()
    assert board.install(other, "--uninstall").code == 0
    assert [path.name for path in versions.parent.iterdir()] == ["models"]


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_others_read_what_is_installed_and_change_none_of_it(board: Board, mask: int) -> None:
    done = processes.run(board.line(board.kit()), before=partial(os.umask, mask))
    assert done.code == 0, done.err
    for path in (board.prefix, *board.prefix.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode & 0o777
            assert mode & 0o022 == 0, f"{path}: {mode:o}"
            assert mode & 0o044 == 0o044, f"{path}: {mode:o}"
            assert not path.is_dir() or mode & 0o011 == 0o011, f"{path}: {mode:o}"


def test_a_kit_whose_digests_leave_out_pip_is_refused(board: Board) -> None:
    folder = board.kit()
    sums = folder / "SHA256SUMS"
    lines = [line for line in sums.read_text().splitlines() if board.pip.name not in line]
    sums.write_text("\n".join(lines) + "\n")
    done = board.install(folder)
    assert done.code == 3
    assert "SHA256SUMS does not list all of it" in done.err
    assert not board.prefix.exists()


def test_a_kill_before_any_change_of_a_switch_leaves_the_way_back(tmp_path: Path) -> None:
    def versions_of(place: installer.Place) -> tuple[str, str]:
        current = place.version(place.current)
        before = place.before(current)
        assert current is not None
        assert before is not None
        return current.name, before.name

    seen = set()
    for step in range(1, 20):
        place = installer.Place(tmp_path / str(step))
        for name in ("1", "2", "3"):
            (place.versions / name).mkdir(parents=True)
            (place.versions / name / "complete").touch()
        place.current.symlink_to("versions/2")
        place.previous.symlink_to("versions/1")  # as earlier installers left it
        process = os.fork()
        if not process:
            left = step

            def count(event: str, _: object) -> None:
                nonlocal left
                if event in ("os.rename", "os.symlink", "os.remove"):
                    left -= 1
                    if left == 0:
                        os._exit(9)

            try:
                sys.addaudithook(count)
                place.switch(place.versions / "3")
            finally:
                os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        seen.add(versions_of(place))
        if code == 0:
            break
    assert step > 4
    assert versions_of(place) == ("3", "2")
    assert seen == {("2", "1"), ("3", "2")}
    place.switch(place.versions / "2")
    assert versions_of(place) == ("2", "3")


def test_models_of_the_user_outlive_an_installation_that_fails(board: Board) -> None:
    home = board.prefix / "share" / "edge-cxr"
    (home / "models").mkdir(parents=True)
    (home / "models" / "mine.tflite").write_bytes(b"mine")
    assert board.install(board.kit("1.1", code=4)).code == 4
    assert [path.name for path in home.rglob("*")] == ["models", "mine.tflite"]


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory, pip: Path) -> Iterator[Board]:
    """Version 1.0 with serial 5, where only signed kits are wanted; nothing changes it."""
    pytest.importorskip("cryptography", reason="the signing extra is not installed")
    board = Board(tmp_path_factory.mktemp("board"), pip)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(board.root / "config"))
        done = board.install(board.kit("1.0", serial=5))
        assert "who made this kit was not checked" in done.out
        board.trust("ours", "signed only")
        yield board


class TestSigned:
    """What the installed version says of the next one's kit."""

    def upgrade(self, board: Board, folder: Path) -> Done:
        done = processes.run([board.prefix / "bin" / "edge-cxr", "upgrade", folder])
        assert "Traceback" not in done.err
        return done

    def refused(self, board: Board, folder: Path) -> str:
        before = board.everything()
        done = self.upgrade(board, folder)
        assert (done.code, done.err.count("\n")) == (4, 1), done
        assert board.everything() == before
        return done.err

    def test_a_later_kit_of_a_trusted_key_is_installed(self, board: Board) -> None:
        pytest.importorskip("cryptography", reason="the signing extra is not installed")
        assert board.install(board.kit("1.0", serial=1)).code == 0
        board.trust("ours", "signed only")
        done = self.upgrade(board, board.kit("1.1", serial=2))
        assert done.code == 0, done.err
        assert done.out.count("is signed by") == 2  # once by the command, once by the installer
        assert "serial 2" in done.out
        assert board.says() == "version 1.1 hello"
        assert not list((board.prefix / "share" / "edge-cxr").glob("incoming-*"))

    @pytest.mark.parametrize(
        ("version", "serial", "key", "words"),
        [
            ("0.9", 4, "ours", "has serial 4, and 5 was installed already"),
            ("1.1", 5, "ours", "has the serial 5 of another kit"),
            ("1.2", None, "ours", "is not signed"),
            ("1.3", 9, "evil", "which is not trusted here"),
        ],
    )
    def test_older_unsigned_and_foreign_kits_change_nothing(
        self, signed: Board, version: str, serial: int | None, key: str, words: str
    ) -> None:
        folder = signed.kit(version, serial=serial, key=key)
        assert words in self.refused(signed, folder)
        done = signed.install(folder)  # the kit's own installer asks the installed version
        assert done.code == 4
        assert words in done.err
        assert signed.says() == "version 1.0 hello"

    def test_an_unsigned_kit_takes_no_signed_ones_place(
        self, signed: Board, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lax = signed.root / "lax"
        lax.write_text(signed.keys.read_text().replace("signed only", ""))
        monkeypatch.setenv("EDGE_CXR_KEYS", str(lax))
        refused = self.refused(signed, signed.kit("1.2"))
        assert "is not signed: who made it is not known, and an installed version is" in refused

    def test_a_changed_kit_does_not_run(self, signed: Board) -> None:
        """Its digests made anew, as whoever changes it would."""
        folder = signed.kit("1.1", serial=6)
        with (folder / "install.sh").open("a") as script:
            script.write(f"touch '{signed.root}/ran'\n")
        assert "install.sh is not the kit's" in self.refused(signed, folder)
        digest = processes.run(["sha256sum", folder / "install.sh"]).out[:64]
        sums = (folder / "SHA256SUMS").read_text().splitlines()
        sums = [f"{digest}  install.sh" if "install.sh" in line else line for line in sums]
        (folder / "SHA256SUMS").write_text("\n".join(sums) + "\n")
        assert "is not what" in self.refused(signed, folder)
        (folder / "SHA256SUMS.minisig").unlink()
        assert "is not signed" in self.refused(signed, folder)
        assert not (signed.root / "ran").exists()

    @pytest.mark.parametrize("strange", ["more", "wheels/more.whl", "link", "pipe"])
    def test_what_does_not_belong_to_a_kit_is_named(self, signed: Board, strange: str) -> None:
        folder = signed.kit("1.1", serial=6)
        if strange == "link":
            (folder / strange).symlink_to("/etc/passwd")
        elif strange == "pipe":
            os.mkfifo(folder / strange)
        else:
            (folder / strange).write_text("more")
        assert strange in self.refused(signed, folder)

    def test_where_keys_are_trusted_a_version_that_does_not_start_is_no_judge(
        self, signed: Board
    ) -> None:
        folder = signed.kit("1.1", serial=6)
        command = signed.prefix / "share" / "edge-cxr" / "current" / "bin" / "edge-cxr"
        command.rename(f"{command}.away")
        try:
            done = signed.install(folder)
        finally:
            Path(f"{command}.away").rename(command)
        assert done.code == 4
        assert "the installed version does not start" in done.err
