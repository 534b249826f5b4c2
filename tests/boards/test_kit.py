"""The real kit, from archive to first answer, with no network."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from boards import kit, processes, sysroot
from boards.install import own_python
from boards.processes import Done
from boards.verification import EXAMPLE
from boards.wheels import REPOSITORY
from edge_app.core.errors import UsageError
from edge_app.model.model_file import SHIPPED, read, shipped_models
from edge_app.model.shipped import DEFAULT_MODEL

HERE = "{}.{}".format(*sys.version_info[:2])
NO_NETWORK = {f"{kind}_proxy": "http://127.0.0.1:9" for kind in ("http", "https", "all")}
MODELS = sorted((REPOSITORY / "tests" / "models").glob("*.tflite"))
"""Of other labels, heads and inputs, and one of version 1 with the name of a shipped model."""

NAMES = {read(path).name for path in (*shipped_models(), *MODELS)}
REPLACED = "cxr-cnn28"


@dataclass(frozen=True)
class Installed:
    """A kit as an operator has it: unpacked, installed, without network."""

    folder: Path
    prefix: Path
    said: str
    alone: list[str]

    def __call__(self, *arguments: object) -> Done:
        line = [*self.alone, self.prefix / "bin" / "edge-cxr", *map(str, arguments)]
        return processes.run(line, {**sysroot.clean_environment(), **NO_NETWORK})


def build(cache: Path, out: Path, *options: object) -> Done:
    """`python -m boards kit` for this machine and Python."""
    line = [sys.executable, "-m", "boards", "kit", "--target", "x86-64", "--python", HERE]
    return processes.run([*line, *map(str, ("--cache", cache, "--out", out, *options))])


@pytest.fixture(scope="module")
def archive(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kit with every model of the tests beside the shipped ones."""
    if platform.machine() != "x86_64":
        pytest.skip("the kit that is run here without emulation is for x86-64")
    out = tmp_path_factory.mktemp("kit")
    options = (option for model in MODELS for option in ("--model", model))
    done = build(cache, out, *options)
    assert done.code == 0, done.err
    return out / "edge-cxr-kit-x86-64.tar.gz"


@pytest.fixture(scope="module")
def installed(
    archive: Path, without_network: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    work = tmp_path_factory.mktemp("board")
    folder, prefix = kit.unpack(archive, work / "kit"), work / "prefix"
    line = ["sh", folder / "install.sh", "--prefix", prefix, "--python", own_python()]
    done = processes.run([*without_network, *line], {**sysroot.clean_environment(), **NO_NETWORK})
    assert done.code == 0, done.err
    print(
        f"kit: {archive.stat().st_size / 1e6:.0f} MB, "
        f"installed {processes.size(prefix) / 1e6:.0f} MB"
    )
    return Installed(folder, prefix, done.out, without_network)


def test_its_self_test_takes_in_every_model(installed: Installed) -> None:
    assert "ready" in installed.said
    tested = {line.split()[1] for line in installed.said.splitlines() if "self-test passed" in line}
    assert tested == {f"{name}:" for name in NAMES}


def test_the_first_answer_is_the_default_models(installed: Installed) -> None:
    answered = installed("classify", "--json", EXAMPLE)
    assert answered.code == 0, answered.err
    answer = json.loads(answered.out)
    assert answer["model"]["name"] == DEFAULT_MODEL
    assert len(answer["findings"]) == 15


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_model_of_other_labels_answers_to_its_name(installed: Installed, path: Path) -> None:
    model = read(path)
    answered = installed("classify", "--json", "--model", model.name, EXAMPLE)
    assert answered.code == 0, answered.err
    answer = json.loads(answered.out)
    assert answer["model"]["sha256"] == model.sha256
    assert [finding["label"] for finding in answer["findings"]] == list(model.labels.names)


def test_a_model_with_the_name_of_a_shipped_one_takes_its_place(installed: Installed) -> None:
    (brought,) = (path for path in MODELS if read(path).name == REPLACED)
    listed = {each["name"]: each for each in json.loads(installed("models", "list", "--json").out)}
    assert listed.keys() == NAMES
    there = Path(listed[REPLACED]["path"]).read_bytes()
    assert there == brought.read_bytes()
    assert there != (SHIPPED / f"{REPLACED}.tflite").read_bytes()


def test_the_same_sources_make_the_same_archive(archive: Path, cache: Path, tmp_path: Path) -> None:
    again = kit.build(kit.find("x86-64"), tmp_path, cache, (HERE,), MODELS)
    assert again.read_bytes() == archive.read_bytes()
    digest = again.with_name(again.name + ".sha256").read_text()
    assert digest == archive.with_name(archive.name + ".sha256").read_text()


def test_unknown_targets_and_pythons_are_named(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(UsageError, match="there are pi64, pi32, x86-64"):
        kit.find("pi128")
    with pytest.raises(UsageError, match=r"no Python 2\.7: there are 3\.11, 3\.13"):
        kit.build(kit.find("pi64"), tmp_path, cache, ("2.7",))
    assert os.listdir(tmp_path) == []


def test_what_is_no_model_file_makes_no_kit(tmp_path: Path, cache: Path) -> None:
    done = build(cache, tmp_path / "dist", "--model", EXAMPLE)
    assert (done.code, done.out) == (4, "")
    assert done.err == f"boards: {EXAMPLE}: not a TensorFlow Lite model\n"
    assert not (tmp_path / "dist").exists()


def test_two_models_of_one_name_make_no_kit(tmp_path: Path, cache: Path) -> None:
    shipped, other = SHIPPED / f"{REPLACED}.tflite", MODELS[-1]
    done = build(cache, tmp_path / "dist", "--model", shipped, "--model", other)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"boards: {shipped} and {other} are both models named 'cxr-cnn28': leave out one\n"
    )
    assert not (tmp_path / "dist").exists()


def test_uninstall_leaves_nothing(installed: Installed) -> None:
    line = ["sh", installed.folder / "install.sh", "--uninstall", "--prefix", installed.prefix]
    assert processes.run(line).code == 0
    assert not installed.prefix.exists()
