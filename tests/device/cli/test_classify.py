"""`edge-cxr classify` as its users meet it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_app import DISCLAIMER
from edge_app.model.model_file import read
from edge_app.performance.processes import launch
from train.labels import LABELS

from ..conftest import Run


def scores(answer: dict[str, object]) -> list[tuple[str, float]]:
    return [(row["label"], row["score"]) for row in answer["findings"]]  # type: ignore[index,attr-defined]


def test_the_table_shows_every_label_its_threshold_and_the_disclaimer(
    run: Run, picture: Path
) -> None:
    done = run("classify", picture)
    assert done.returncode == 0
    assert done.stderr == ""
    assert all(label in done.stdout for label in LABELS)
    assert done.stdout.endswith(DISCLAIMER + "\n")
    assert "picture.png  (256x256 PNG)" in done.stdout


def test_json_of_one_image_holds_what_a_result_needs_to_be_trusted(
    run: Run, picture: Path, cnn28: Path
) -> None:
    answer = json.loads(run("classify", "--json", picture).stdout)
    model = read(cnn28)
    assert [label for label, _ in scores(answer)] == list(LABELS)
    assert answer["model"] == {"name": model.name, "sha256": model.sha256, "dtype": "int8"}
    assert answer["preprocessing"]["height"] == 28
    assert answer["operating_point"] == "balanced"
    assert answer["runtime"]["delegate"] == "cpu"
    assert answer["disclaimer"] == DISCLAIMER
    for row in answer["findings"]:
        assert 0 <= row["score"] <= 1
        assert row["above"] == (
            None if row["threshold"] is None else row["score"] >= row["threshold"]
        )


def test_many_images_are_json_lines_in_the_order_given(
    run: Run, tmp_path: Path, phantom: np.ndarray
) -> None:
    names = [f"{letter}.png" for letter in "cab"]
    for name in names:
        Image.fromarray(np.roll(phantom, len(name), 0)).save(tmp_path / name)
    done = run("classify", "--json", *(tmp_path / name for name in names))
    assert [Path(json.loads(line)["file"]).name for line in done.stdout.splitlines()] == names


def test_a_folder_is_answered_by_name_and_only_entered_deeper_when_asked(
    run: Run, tmp_path: Path, phantom: np.ndarray
) -> None:
    for name in ("b.png", "a.png", "no_suffix", "below/c.png", ".hidden.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(phantom).save(path, format="PNG")

    def names(*options: str) -> list[str]:
        done = run("classify", "--json", *options, tmp_path)
        assert done.returncode == 0
        assert "left out" in done.stderr
        answers = map(json.loads, done.stdout.splitlines())
        return [str(Path(answer["file"]).relative_to(tmp_path)) for answer in answers]

    assert names() == ["a.png", "b.png", "no_suffix"]
    assert names("--recursive") == ["a.png", "b.png", "no_suffix", "below/c.png"]


def test_json_holds_the_digest_of_each_file(run: Run, picture: Path) -> None:
    data = picture.read_bytes()
    answer = json.loads(run("classify", "--json", "-", stdin=data).stdout)
    assert answer["image"]["sha256"] == hashlib.sha256(data).hexdigest()


def test_csv_has_a_row_an_image_and_tells_errors(run: Run, picture: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    done = run("classify", "--csv", picture, broken)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert done.returncode == 3
    assert [Path(row["file"]).name for row in rows] == ["picture.png", "broken.png"]
    assert all(0 <= float(rows[0][label]) <= 1 for label in LABELS)
    assert rows[0]["error"] == ""
    assert rows[1]["error"] != ""
    assert rows[1]["Mass"] == ""


def test_standard_input_gives_what_the_file_gives(run: Run, picture: Path) -> None:
    from_file = json.loads(run("classify", "--json", picture).stdout)
    from_pipe = json.loads(run("classify", "--json", "-", stdin=picture.read_bytes()).stdout)
    assert from_pipe["file"] == "-"
    assert scores(from_pipe) == scores(from_file)
    assert from_pipe["image"] == from_file["image"]


def test_top_keeps_the_first_labels_only(run: Run, picture: Path) -> None:
    assert len(json.loads(run("classify", "--json", "--top", 3, picture).stdout)["findings"]) == 3


def test_operating_points_change_thresholds_and_not_scores(run: Run, picture: Path) -> None:
    answers = [
        json.loads(run("classify", "--json", "--operating-point", point, picture).stdout)
        for point in ("screening", "rule-in")
    ]
    assert scores(answers[0]) == scores(answers[1])
    thresholds = [[row["threshold"] for row in answer["findings"]] for answer in answers]
    pairs = [(low, high) for low, high in zip(*thresholds, strict=True) if low is not None]
    assert all(low <= high for low, high in pairs)
    assert any(low < high for low, high in pairs)


def test_threads_do_not_change_the_answer(run: Run, picture: Path) -> None:
    answers = [
        json.loads(run("classify", "--json", "--threads", threads, picture).stdout)
        for threads in (1, 2)
    ]
    assert scores(answers[0]) == scores(answers[1])
    assert [answer["runtime"]["threads"] for answer in answers] == [1, 2]


def test_workers_change_neither_answers_nor_their_order(
    run: Run, tmp_path: Path, phantom: np.ndarray
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for index in range(30):
        # The first are the largest: with nothing done about it they would come last.
        picture = Image.fromarray(np.roll(phantom, 7 * index, 0)).resize((1200 - 40 * index,) * 2)
        picture.save(folder / f"{index:02d}.png", compress_level=1)
    (folder / "05.png").write_bytes(b"broken")
    one, three = (
        run("classify", "--csv", "--workers", workers, folder, "-", stdin=b"") for workers in (1, 3)
    )
    assert one.stdout == three.stdout
    assert one.stderr == three.stderr
    assert len(one.stdout.splitlines()) == 32
    assert one.returncode == three.returncode == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("classify",), 2, "IMAGE"),
        (("classify", "--workers", "0", "x.png"), 2, "workers"),
        (("classify", "--json", "--csv", "x.png"), 2, "exclude each other"),
        (("classify", "--operating-point", "nonsense", "x.png"), 2, "balanced"),
        (("classify", "--threads", "0", "x.png"), 2, "threads"),
        (("classify", "absent.png"), 3, "no such file"),
        (("models inspect", "absent.tflite"), 4, "shipped models are"),
        (("models verify", "/dev/null"), 4, "/dev/null"),
        (("nonsense",), 2, "nonsense"),
    ],
)
def test_each_fault_has_its_exit_code_and_says_what(
    run: Run, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = run(*arguments)
    assert done.returncode == code
    assert words in done.stderr


def test_an_empty_folder_is_wrong_usage_not_success(run: Run, tmp_path: Path) -> None:
    done = run("classify", tmp_path)
    assert done.returncode == 2
    assert "no image" in done.stderr


@pytest.mark.parametrize("gray", [0, 90, 255])
def test_a_blank_picture_is_flagged_no_success_and_scored_by_force_alone(
    run: Run, tmp_path: Path, gray: int
) -> None:
    path = tmp_path / "blank.png"
    Image.new("L", (300, 200), gray).save(path)
    for options, findings in (((), 0), (("--force",), len(LABELS))):
        done = run("classify", "--json", *options, path)
        answer = json.loads(done.stdout)
        assert done.returncode == 3
        assert answer["blank"] is True
        assert answer["input_check"]["kind"] == "blank"
        assert len(answer["findings"]) == findings
        assert "is blank" in done.stderr


def test_a_name_that_is_not_utf8_is_refused_and_the_rest_answered(
    run: Run, tmp_path: Path, picture: Path
) -> None:
    strange = os.fsencode(tmp_path) + b"/caf\xe9.png"
    Path(os.fsdecode(strange)).write_bytes(picture.read_bytes())
    done = run("classify", "--json", strange, picture)
    first, second = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 3
    assert "not UTF-8" in first["error"]["message"]
    assert "caf\\xe9.png" in first["file"]
    assert len(second["findings"]) == len(LABELS)


def test_a_name_with_control_characters_cannot_forge_a_line(run: Run, tmp_path: Path) -> None:
    done = run("classify", tmp_path / "x\ny\x1b[2J.png")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr


def test_two_hundred_mixed_files_each_get_their_answer(
    run: Run, tmp_path: Path, phantom: np.ndarray
) -> None:
    """Every good one scored, every broken one named, exit code 3."""
    generator = random.Random(7)
    good, broken = [], []
    formats = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
    for index in range(200):
        path = tmp_path / f"{index:03d}"
        form = formats[index % 5]
        Image.fromarray(np.roll(phantom, index, 1)).save(path, format=form)
        whole = path.read_bytes()
        kind = index % 10
        if kind == 3:
            path.write_bytes(b"")
        elif kind == 6:
            path.write_bytes(whole[: generator.randrange(1, len(whole) // 2)])
        elif kind == 7:
            path.write_bytes(generator.randbytes(5000))
        elif kind == 9:
            path.unlink()
            os.mkfifo(path)
        (broken if kind in (3, 6, 7, 9) else good).append(path.name)
    done = run("classify", "--json", tmp_path)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 3
    assert [Path(a["file"]).name for a in answers] == sorted(good + broken)
    assert [Path(a["file"]).name for a in answers if "findings" in a] == good
    for name in broken:
        assert f"{tmp_path}/{name}: " in done.stderr
    assert "120 answered, 80 refused" in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_ends_with_what_is_done_printed(
    tmp_path: Path, cnn28: Path, picture: Path, workers: str
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for index in range(3000):
        os.symlink(picture, folder / f"{index:04d}.png")
    command = [sys.executable, "-m", "edge_app", "classify", "--json", "--workers", workers]
    line = [*command, "-m", str(cnn28), str(folder)]
    with (
        (tmp_path / "errors").open("w+") as errors,
        subprocess.Popen(line, stdout=subprocess.PIPE, stderr=errors, text=True) as child,
    ):
        assert child.stdout is not None
        lines = [child.stdout.readline()]
        child.send_signal(signal.SIGINT)
        lines += child.stdout.readlines()
        child.wait(timeout=60)
        errors.seek(0)
        said = errors.read()
    assert child.returncode == 130
    assert 0 < len(lines) < 3000
    assert all("findings" in json.loads(text) for text in lines)
    assert said == f"edge-cxr: interrupted after {len(lines)} answers\n"


def test_a_reader_that_goes_away_is_no_fault(tmp_path: Path, cnn28: Path, picture: Path) -> None:
    names = " ".join([str(picture)] * 40)
    line = f"{sys.executable} -m edge_app classify -m {cnn28} --json {names} | head -1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout)["model"]["dtype"] == "int8"
    assert done.stderr == ""


def test_a_full_disk_is_one_line(run: Run, picture: Path, cnn28: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edge_app", "classify", "-m", str(cnn28), str(picture)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 4
    assert done.stderr == "edge-cxr: cannot write the output: No space left on device\n"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_memory_does_not_grow_with_the_number_of_images(
    tmp_path: Path, cnn28: Path, picture: Path, workers: str
) -> None:
    def peak(count: int) -> int:
        folder = tmp_path / str(count)
        folder.mkdir()
        for index in range(count):
            os.symlink(picture, folder / f"{index:05d}.png")
        line = [
            sys.executable,
            "-m",
            "edge_app",
            "classify",
            "--csv",
            "--workers",
            workers,
            "-m",
            str(cnn28),
            str(folder),
        ]
        return int(launch(line)["peak"])

    few, many = peak(50), peak(4000)
    print(f"peak memory: {few >> 10} KiB for 50 images, {many >> 10} KiB for 4000")
    assert many < 1.1 * few


def test_progress_goes_to_a_terminal_on_standard_error_only(
    run: Run, picture: Path, cnn28: Path, tmp_path: Path
) -> None:
    import pty

    primary, secondary = pty.openpty()
    line = [sys.executable, "-m", "edge_app", "classify", "--csv", "-m", str(cnn28)]
    child = subprocess.Popen(
        [*line, *[str(picture)] * 200], stdout=subprocess.PIPE, stderr=secondary
    )
    os.close(secondary)
    answers, _ = child.communicate(timeout=60)
    shown = b""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            chunk = os.read(primary, 4096)
        except OSError:  # Linux answers so at the end of a terminal
            break
        if not chunk:
            break
        shown += chunk
    os.close(primary)
    assert child.returncode == 0
    assert len(answers.splitlines()) == 201
    assert b"classifying" in shown
    assert b"classifying" not in answers
    assert b"classifying" not in run("classify", "--csv", picture, picture).stderr.encode()


def test_models_list_and_inspect_show_what_is_in_the_file(run: Run) -> None:
    listed = json.loads(run("models list", "--json").stdout)
    assert [model["name"] for model in listed if model["default"]] == ["cxr-lite0-128"]
    for model in listed:
        manifest = json.loads(run("models inspect", "--json", model["name"]).stdout)
        assert manifest["flatbuffer"]["sha256"] == model["sha256"]
        assert manifest["metrics"]["macro_auroc"] == model["metrics"]["macro_auroc"]
        readable = run("models inspect", model["name"]).stdout
        assert model["sha256"][:16] in readable
        assert "Hernia" in readable
        assert "not compiled for it" in readable


def test_models_verify_runs_the_golden_vectors(run: Run) -> None:
    done = run("models verify", "--json")
    answers = json.loads(done.stdout)
    assert done.returncode == 0
    assert {answer["name"] for answer in answers} == {"cxr-lite0-128", "cxr-cnn28"}
    assert all(answer["ok"] and answer["off"] <= answer["tolerance"] for answer in answers)


def test_doctor_says_ready_and_what_runs_where(run: Run) -> None:
    done = run("doctor", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["ok"] is True
    assert found["runtime"]["package"] in ("ai-edge-litert", "tflite-runtime")
    assert found["packages"]["numpy"] == np.__version__
    assert len(run("doctor").stdout.splitlines()) <= 24


def test_without_a_runtime_the_way_out_is_named(picture: Path, cnn28: Path, tmp_path: Path) -> None:
    for package in ("ai_edge_litert", "tflite_runtime"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(
            "raise ImportError('not for this Python')\n"
        )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for arguments in (["classify", "-m", str(cnn28), str(picture)], ["doctor"]):
        done = subprocess.run(
            [sys.executable, "-m", "edge_app", *arguments],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 4
        assert "pip install ai-edge-litert" in " ".join((done.stdout + done.stderr).split())
        assert "Traceback" not in done.stderr


def shell(line: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload]
        ["bash", "-c", line], capture_output=True, text=True, timeout=60, **options
    )


def test_closed_streams_are_told_or_borne(picture: Path, cnn28: Path) -> None:
    command = f"{sys.executable} -m edge_app classify --model {cnn28}"
    without_output = shell(f"{command} {picture} >&-")
    assert (without_output.returncode, without_output.stderr.count("\n")) == (4, 1)
    assert "standard output is closed" in without_output.stderr
    without_input = shell(f"{command} - <&-")
    assert without_input.returncode == 3
    assert "-: standard input is closed" in without_input.stderr
    without_errors = shell(f"{command} {picture} absent 2>&-")
    assert without_errors.returncode == 3
    assert "No Finding" in without_errors.stdout


def test_an_overlong_name_costs_only_itself(run: Run, picture: Path) -> None:
    for names in (("x" * 5000, picture), ("x" * 5000,)):
        done = run("classify", "--csv", *names)
        assert done.returncode == 3
        assert "cannot be read: File name too long" in done.stderr
        assert len(done.stdout.splitlines()) == 1 + len(names)


def test_a_model_that_is_no_file_is_refused_at_once(run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place, words in (
        (tmp_path / "pipe", "named pipe"),
        (tmp_path, "folder"),
        ("x" * 5000, "long"),
    ):
        done = run("models inspect", place)
        assert done.returncode == 4
        assert words in done.stderr


def test_ctrl_c_ends_a_wait_for_standard_input(cnn28: Path) -> None:
    line = [sys.executable, "-m", "edge_app", "classify", "--model", str(cnn28), "-"]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdin=pipe, stdout=pipe, stderr=pipe) as child:
        state = Path(f"/proc/{child.pid}/wchan")
        deadline = time.monotonic() + 30
        while "pipe" not in state.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)  # until it waits for the pipe
        child.send_signal(signal.SIGINT)
        code = child.wait(timeout=30)
        assert child.stderr is not None
        said = child.stderr.read().decode()
    assert code == 130
    assert "interrupted after 0 answers" in said
