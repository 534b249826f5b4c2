"""`edge-cxr models sign, trust, install, rollback`, and what an unsigned model meets."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from edge_app.backends.options import BackendOptions
from edge_app.core import signing
from edge_app.core.trust import SUFFIX
from edge_app.inspection import installing
from edge_app.model import installed
from edge_app.model.model_file import SHIPPED, read

from ..conftest import Run

pytest.importorskip("cryptography", reason="the signing extra is not installed")

SMALL = SHIPPED / "cxr-cnn28.tflite"


class Place(NamedTuple):
    """A maker's folder, with a key, and the device's own place of keys and models."""

    folder: Path
    run: Run

    def model(self, name: str = "model.tflite", word: str = "ours") -> Path:
        """A model file of its own bytes, named as the small shipped one."""
        path = self.folder / name
        small = read(SMALL)
        return small.replace(manifest={**small.manifest, "created": word}).save(path).path

    def key(self, name: str) -> Path:
        self.ok("models key", self.folder / f"{name}.key", "--no-password")
        return self.folder / f"{name}.key"

    def sign(self, path: Path, serial: int, key: str = "first") -> Path:
        self.ok("models sign", path, "--key", self.folder / f"{key}.key", "--serial", serial)
        return path

    def ok(self, *line: object) -> str:
        done = self.run(*line)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *line: object) -> str:
        done = self.run(*line)
        assert (done.returncode, done.stdout) == (4, ""), done
        assert done.stderr.count("\n") == 1
        return done.stderr


@pytest.fixture
def place(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("EDGE_CXR_MODELS", str(tmp_path / "installed"))
    monkeypatch.delenv("EDGE_CXR_KEYS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    made = Place(tmp_path, run)
    made.key("first")
    return made


@pytest.fixture
def strict(place: Place) -> Place:
    """A device that trusts the first key, and refuses what is not signed."""
    place.ok("models trust", place.folder / "first.pub", "--owner", "the maker", "--signed-only")
    return place


def test_an_unsigned_model_is_said_and_refused_where_that_is_asked(
    place: Place, picture: Path
) -> None:
    model = place.model()
    assert "is not signed: who made it is not known" in place.ok("models verify", model)
    assert "is not signed" in place.ok("models inspect", model)
    quiet = place.run("classify", picture, "--model", model)
    assert (quiet.returncode, quiet.stderr) == (0, "")

    place.ok("models trust", place.folder / "first.pub")
    answered = place.run("classify", picture, "--model", model)
    assert answered.returncode == 0
    assert answered.stderr == f"edge-cxr: {model}: is not signed: who made it is not known\n"

    place.ok("models trust", place.folder / "first.pub", "--signed-only")
    for command in (
        ("classify", picture, "--model", model),
        ("models verify", model),
        ("models install", model),
    ):
        done = place.run(*command)
        assert (done.returncode, done.stdout) == (4, "")
        assert "is not signed" in done.stderr
        assert "'signed only'" in done.stderr
    assert place.run("classify", picture).returncode == 0  # came with the package
    place.sign(model, 1)
    signed = place.run("classify", picture, "--model", model)
    assert (signed.returncode, signed.stderr) == (0, "")


def test_a_model_that_was_changed_after_it_was_signed_answers_nothing(
    strict: Place, picture: Path
) -> None:
    """Whoever changes the manifest can make its digests anew, but not its signature."""
    model = strict.sign(strict.model(), 1)
    strict.model(word="theirs")
    for command in ("models verify", "models install", "models inspect"):
        assert "is not what the maker" in strict.refused(command, model)
    assert "is not what the maker" in strict.refused("classify", picture, "--model", model)


def test_a_key_beside_the_model_is_not_trusted(strict: Place) -> None:
    strict.key("evil")
    model = strict.sign(strict.model(), 1, "evil")
    assert "which is not trusted here" in strict.refused("models install", model)
    shutil.copy(f"{model}{SUFFIX}", strict.folder / f"evil.pub{SUFFIX}")
    refused = strict.refused("models trust", strict.folder / "evil.pub")
    assert "which is not trusted here" in refused


def test_versions_only_go_up_and_go_back_by_name(strict: Place, picture: Path) -> None:
    first = strict.sign(strict.model("1.tflite", "one"), 7)
    second = strict.sign(strict.model("2.tflite", "two"), 8)
    other = strict.sign(strict.model("3.tflite", "three"), 8)
    assert "version 7 answers now" in strict.ok("models install", first)
    assert "back to 7" in strict.ok("models install", second)
    assert read(installed.find("cxr-cnn28") or SMALL).manifest["created"] == "two"

    assert "has serial 7, and 8 was installed already" in strict.refused("models install", first)
    assert "has the serial 8 of another file" in strict.refused("models install", other)
    answer = json.loads(strict.ok("classify", "--json", picture))
    listed = json.loads(strict.ok("models list", "--json"))
    [small] = [each for each in listed if each["name"] == "cxr-cnn28"]
    assert small["origin"] == {"signer": "the maker", "key": small["origin"]["key"], "serial": 8}
    assert answer["model"]["sha256"] == small["sha256"]

    assert "version 7 answers now" in strict.ok("models rollback", "cxr-cnn28")
    assert read(installed.find("cxr-cnn28") or SMALL).manifest["created"] == "one"
    assert "7, and 8 was installed" in strict.refused("models install", strict.sign(other, 7))
    assert "version 8 answers now" in strict.ok("models rollback", "cxr-cnn28")
    assert "version 9 answers now" in strict.ok("models install", strict.sign(other, 9))
    kept = sorted(path.name for path in (strict.folder / "installed" / "cxr-cnn28").iterdir())
    assert kept == ["8", "9", "current"]


def test_an_unsigned_model_takes_no_signed_ones_place(place: Place) -> None:
    place.ok("models trust", place.folder / "first.pub")
    place.ok("models install", place.sign(place.model(), 1))
    refused = place.refused("models install", place.model("other.tflite", "theirs"))
    assert "is not signed: who made it is not known, and the installed one is signed" in refused


def test_unsigned_models_are_installed_and_rolled_back_where_they_may(place: Place) -> None:
    for word in ("one", "two", "three"):
        done = place.ok("models install", place.model(word=word))
        assert "it is not signed" in done
    place.ok("models rollback", "cxr-cnn28")
    assert read(installed.find("cxr-cnn28") or SMALL).manifest["created"] == "two"
    assert place.run("models rollback", "other").returncode == 2
    assert place.run("models rollback", "../cxr-cnn28").returncode == 2


def test_a_new_key_is_trusted_because_the_old_one_signed_it(strict: Place) -> None:
    strict.key("second")
    model = strict.sign(strict.model(), 1, "second")
    new = strict.folder / "second.pub"
    assert "has to be signed by a trusted one" in strict.refused("models trust", new)
    word = new.read_text().splitlines()[1]
    assert "has to be signed by a trusted one" in strict.refused("models trust", word)
    assert strict.run("models sign", new, "--key", strict.folder / "second.key").returncode == 2
    strict.sign(new, 1)
    assert "is signed by the maker" in strict.ok("models trust", new, "--owner", "the maker, 2027")
    assert "serial 1" in strict.ok("models install", model)
    strict.ok("models install", strict.sign(model, 2, "first"))  # both are trusted now

    text = strict.folder / "config" / "edge-cxr" / "keys"
    lines = [line for line in text.read_text().splitlines() if not line.endswith("the maker")]
    text.write_text("\n".join(lines))  # the old one's line is taken out by hand
    assert "which is not trusted here" in strict.refused("models verify", model)


def test_a_keys_file_that_is_damaged_stops_own_models_and_no_others(
    strict: Place, picture: Path
) -> None:
    model = strict.sign(strict.model(), 1)
    (strict.folder / "config" / "edge-cxr" / "keys").write_text("signed onyl\n")
    assert "line 1 is no key" in strict.refused("classify", picture, "--model", model)
    assert strict.run("classify", picture).returncode == 0


def test_a_model_that_does_not_work_here_does_not_become_current(
    strict: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict.ok("models install", strict.sign(strict.model(word="one"), 1))
    bad = strict.sign(strict.model(word="two"), 2)
    with monkeypatch.context() as patch:
        patch.setattr(installing, "verified", lambda *_: {"error": "golden vectors are off"})
        assert "golden vectors are off" in strict.refused("models install", bad)
    assert read(installed.find("cxr-cnn28") or SMALL).manifest["created"] == "one"
    home = strict.folder / "installed" / "cxr-cnn28"
    assert sorted(path.name for path in home.iterdir()) == ["1", "current"]


CHANGES = ("os.rename", "os.symlink", "os.mkdir", "os.remove", "os.rmdir")


def install_and_die(path: Path, before_change: int) -> int:
    """The exit code of a process that installs a model and is killed before its N-th change."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    left = before_change

    def count(event: str, _: object) -> None:
        nonlocal left
        if event in CHANGES:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    code = 1
    try:
        installing.verified = lambda *_: {}  # type: ignore[assignment]
        sys.addaudithook(count)
        installing.install(path, BackendOptions())
        code = 0
    finally:
        os._exit(code)


def test_a_kill_at_any_change_leaves_an_answer_and_the_way_back(strict: Place) -> None:
    one, two, three = (strict.sign(strict.model(f"{n}.tflite", str(n)), n) for n in (1, 2, 3))
    home, saved = strict.folder / "installed" / "cxr-cnn28", strict.folder / "saved"
    strict.ok("models install", one)
    strict.ok("models install", two)
    shutil.copytree(home, saved, symlinks=True)
    for step in range(1, 40):
        shutil.rmtree(home)
        shutil.copytree(saved, home, symlinks=True)
        code = install_and_die(three, step)
        current = installed.current(home)
        assert current is not None
        back = installed.before(current)
        assert back is not None
        assert (current.name, back.name) in {("2", "1"), ("3", "2")}, step
        for version in (current, back):
            assert read(version / "cxr-cnn28.tflite").manifest["created"] == version.name
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert code == 0
    assert step > 5
    assert sorted(path.name for path in home.iterdir()) == ["2", "3", "current"]


def test_a_first_key_goes_where_the_keys_are_looked_for(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = place.folder / "named" / "keys"
    monkeypatch.setenv("EDGE_CXR_KEYS", str(named))
    assert f"{named}: " in place.ok("models trust", place.folder / "first.pub")
    again = place.run("models trust", place.folder / "first.pub")
    assert (again.returncode, "is trusted already" in again.stderr) == (2, True)
    monkeypatch.setenv("EDGE_CXR_KEYS", "none")
    assert place.run("models trust", place.folder / "first.pub").returncode == 2
    key = place.folder / "first.key"
    big = place.run("models sign", place.model(), "--key", key, "--serial", 10**15)
    assert big.returncode == 2


def test_what_is_no_key_and_no_model_is_neither_signed_nor_trusted(
    place: Place, picture: Path
) -> None:
    key = place.folder / "first.key"
    assert "not a TensorFlow Lite model" in place.refused("models sign", picture, "--key", key)
    text = place.folder / "text.pub"
    text.write_text("text")
    assert "is no public key" in place.refused("models sign", text, "--key", key)
    assert place.run("models trust", text).returncode == 2
    assert place.run("models trust", "absent.pub").returncode == 2
    wrong = place.run("models sign", place.model(), "--key", text)
    assert (wrong.returncode, "is no secret key of minisign" in wrong.stderr) == (2, True)
    assert "no such file" in place.refused("models install", "absent.tflite")


def test_a_password_is_asked_twice_and_opens_the_key(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "OPERATIONS", 1 << 15)  # tried in milliseconds
    monkeypatch.setattr(signing, "MEMORY", 1 << 24)
    key = place.folder / "locked.key"
    slip = place.run("models key", key, stdin=b"one\nother\n")
    assert (slip.returncode, key.exists()) == (2, False)
    assert place.run("models key", key, stdin=b"\n").returncode == 2
    assert place.run("models key", key, stdin=b"one\none\n").returncode == 0
    model = place.model()
    wrong = place.run("models sign", model, "--key", key, stdin=b"other\n")
    assert (wrong.returncode, "the password is another" in wrong.stderr) == (2, True)
    assert place.run("models sign", model, "--key", key, stdin=b"one\n").returncode == 0
