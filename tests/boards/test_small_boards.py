"""Boards with little memory, a medium that cannot be written, no home folder, a clock in 1970."""

from __future__ import annotations

import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from boards import apt, processes, sysroot
from boards.errors import BoardsError
from boards.processes import Done
from boards.verification import EXAMPLE
from edge_app.model.model_file import SHIPPED

MIB = 1 << 20
PI_ZERO_2 = 512 * MIB
"""All memory of a Pi Zero 2 W, here as a bound of the address space, which is always larger."""

FREE_ON_IT = 300 * MIB
"""What its system leaves to programs, roughly."""


def edge_cxr(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "edge_app", *map(str, arguments)]


def within(limit: int, *arguments: object) -> Done:
    """The command in an address space of `limit` bytes."""

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    return processes.run(edge_cxr(*arguments), before=bound)


def in_namespace(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A shell script with mounts of its own."""
    if not shutil.which("unshare") or subprocess.call(["unshare", "-m", "true"]):
        pytest.skip("mounts of one's own need root and unshare")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-ec", script], cwd=folder, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """3,000 names of one radiograph."""
    folder = tmp_path / "many"
    folder.mkdir()
    Image.open(EXAMPLE).resize((128, 128)).save(folder / "0000.png")
    for index in range(1, 3000):
        os.link(folder / "0000.png", folder / f"{index:04d}.png")
    return folder


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    folder = tmp_path / "labelled"
    folder.mkdir()
    rows = ["image,labels,patient"]
    for index in range(8):
        shutil.copy(EXAMPLE, folder / f"{index}.png")
        rows.append(f"{index}.png,{('Mass', 'No Finding')[index % 2]},{index}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_a_radiograph_is_classified_in_the_memory_of_a_pi_zero() -> None:
    done = within(PI_ZERO_2, "classify", "--json", EXAMPLE)
    assert done.code == 0, done.err
    assert len(json.loads(done.out)["findings"]) == 15
    print(f"one 1024x1024 PNG: {done.peak / MIB:.0f} MiB")
    assert done.peak < FREE_ON_IT


@pytest.mark.parametrize("limit", [48, 60, 150, 180, 220])
def test_where_not_even_the_packages_fit_there_is_a_line_and_no_traceback(limit: int) -> None:
    done = within(limit * MIB, "classify", EXAMPLE)
    assert "Traceback" not in done.err
    if done.code:
        assert done.err.strip()
        assert "damaged or truncated" not in done.err  # nothing is wrong with the image
        assert "No Finding" not in done.out
    else:
        assert "Cardiomegaly" in done.out


def test_thousands_of_radiographs_take_no_more_memory_than_a_few(many: Path) -> None:
    few = [many / f"{index:04d}.png" for index in range(20)]
    small = ("classify", "--csv", "--model", "cxr-cnn28")
    baseline = within(PI_ZERO_2, *small, *few)
    done = within(PI_ZERO_2, *small, many)
    assert (baseline.code, done.code) == (0, 0), done.err
    assert len(done.out.splitlines()) == 3001
    print(f"20: {baseline.peak / MIB:.0f} MiB, 3000: {done.peak / MIB:.0f} MiB")
    assert done.peak < baseline.peak + 8 * MIB


def test_the_largest_picture_allowed_fits_or_is_refused_in_one_line(tmp_path: Path) -> None:
    picture, name = Image.open(EXAMPLE).convert("RGB").resize((5000, 5000)), tmp_path / "colour.png"
    picture.save(name, compress_level=1)
    done = within(PI_ZERO_2, "classify", name)
    assert done.code == 0, done.err
    print(f"5000x5000 in colour: {done.peak / MIB:.0f} MiB")

    done = within(PI_ZERO_2 // 2, "classify", name)
    assert done.code == 4  # the machine's fault, not the picture's
    said = "could not be read: out of memory: close other programs, or lower --max-pixels"
    assert done.err == f"edge-cxr: {name}: {said}\n"


READ_ONLY = "mount --bind / /; mount -o remount,bind,ro /; cd {folder}; ! touch x 2>&-; "


def test_with_a_read_only_root_it_answers_and_says_where_a_report_could_go(labelled: Path) -> None:
    """The mount hides from programs what is mounted below it, such as /proc: nothing needs it."""
    read_only = READ_ONLY.format(folder=shlex.quote(str(labelled)))
    inside = f"{read_only} cd {shlex.quote(os.getcwd())};"
    done = in_namespace(inside + shlex.join(edge_cxr("classify", "--csv", EXAMPLE)), labelled)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2

    place = labelled / "report.json"
    line = edge_cxr("evaluate", labelled, "--model", "cxr-cnn28", "--out", place)
    done = in_namespace(inside + shlex.join(line), labelled)
    assert done.returncode == 4
    assert "Read-only file system" in done.stderr
    assert "--out" in done.stderr
    assert not place.exists()


def test_on_a_full_disk_it_says_so_and_goes_on_later(labelled: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    line = edge_cxr("evaluate", labelled, "--model", "cxr-cnn28", "--out", full / "report.json")
    mounted = f"mount -t tmpfs -o size=16k none {shlex.quote(str(full))};"
    done = in_namespace(f"{mounted} cd {shlex.quote(os.getcwd())}; {shlex.join(line)}", labelled)
    assert done.returncode == 4
    assert "No space left on device" in done.stderr
    assert len([text for text in done.stderr.splitlines() if text.startswith("edge-cxr")]) == 1

    with open("/dev/full", "w") as nowhere:
        done = subprocess.run(
            edge_cxr("classify", EXAMPLE), stdout=nowhere, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 4
    assert done.stderr == "edge-cxr: cannot write the output: No space left on device\n"


@pytest.mark.parametrize("command", [("classify", EXAMPLE), ("doctor",), ("models", "list")])
def test_without_a_home_folder_or_any_environment(command: tuple[object, ...]) -> None:
    bare = {"PYTHONPATH": os.getcwd()}
    done = processes.run(edge_cxr(*command), bare)
    assert done.code == 0, done.err
    assert done.err == ""


@pytest.fixture(scope="module")
def in_1970(cache: Path) -> dict[str, str]:
    """An environment in which the clock has just begun, as on a board without a battery."""
    place = cache / "faketime"
    if not list(place.rglob("libfaketime.so.1")):
        shutil.rmtree(place, ignore_errors=True)
        try:
            packages = apt.download("bookworm", "amd64", ["libfaketime"], place / "apt")
        except BoardsError as error:
            pytest.skip(f"libfaketime cannot be had: {error}")
        own = [package for package in packages if package.name.startswith("libfaketime")]
        apt.unpack(own, place / "root")
        shutil.rmtree(place / "apt")
    (library,) = place.rglob("libfaketime.so.1")
    return {
        **sysroot.clean_environment(),
        "PYTHONPATH": os.getcwd(),
        "LD_PRELOAD": str(library),
        "FAKETIME": "@1970-01-01 00:00:20",
        "TZ": "UTC",
    }


def test_with_the_clock_in_1970_everything_works(
    in_1970: dict[str, str], labelled: Path, tmp_path: Path
) -> None:
    clock = processes.run([sys.executable, "-c", "import time; print(time.gmtime()[0])"], in_1970)
    assert clock.out == "1970\n"
    place = tmp_path / "report.json"
    for command in (
        ("classify", EXAMPLE),
        ("models", "verify"),
        ("doctor",),
        ("evaluate", labelled, "--model", "cxr-cnn28", "--out", place),
        ("compare", place, place, "--resamples", "100", "--html", tmp_path / "page.html"),
    ):
        done = processes.run(edge_cxr(*command), in_1970)
        assert "Traceback" not in done.err, command
        assert done.code in (0, 5 if command[0] == "compare" else 0), done.err
    assert place.with_suffix(".npz").exists()


def test_the_shipped_models_leave_room_for_the_system() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.glob("*.tflite")) < 16 * MIB
