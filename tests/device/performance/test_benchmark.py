"""`edge-cxr benchmark` as its users meet it; what it measures is not asserted, how is."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest
from PIL import Image

from edge_app.backends.interpreters import find_interpreter
from edge_app.cli import app
from edge_app.core.errors import ImageError, UsageError
from edge_app.performance import combinations as matrix
from edge_app.performance import conditions, images, plot, processes, result
from edge_app.performance import rounds as suite
from edge_app.performance import tables as text
from edge_app.performance.combinations import Axes, Cell, Matrix
from edge_app.performance.compare import compare
from edge_app.performance.images import ImageSet, draw, gather
from edge_app.performance.rounds import Measured
from edge_app.performance.stages import STAGES, YARDSTICKS

from ..backends.conftest import Build
from ..conftest import Run
from .results import measured

SCHEMA = json.loads(Path(result.__file__).with_name("benchmark.schema.json").read_text())


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / "small.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def found(small: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One round of a real benchmark, with its picture's text as `plot`."""
    drawn = tmp_path_factory.mktemp("plot") / "plot.svg"
    line = [sys.executable, "-m", "edge_app", "benchmark", "-m", "cxr-cnn28", "--seconds", "0"]
    line += ["--json", "--workers", "2", "--plot", str(drawn), str(small)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "plot": drawn.read_text(), "stderr": done.stderr}


def test_json_is_as_its_schema_says(found: dict[str, Any]) -> None:
    content = {key: value for key, value in found.items() if key not in ("plot", "stderr")}
    jsonschema.Draft7Validator(SCHEMA).validate(content)
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert content["ended"] == "budget"
    assert content["partial"] is False


def test_every_stage_and_number_of_workers_was_measured(found: dict[str, Any]) -> None:
    (cell,) = found["cells"]
    names = {"cold_start", "cold_start_cpu", "peak_memory", "model_load", "first_inference"}
    names |= {"total", *YARDSTICKS, *STAGES}
    names |= {f"{kind}_{count}" for kind in ("throughput", "peak_memory") for count in (1, 2)}
    assert set(cell["quantities"]) == names
    assert cell["quantities"]["total"]["count"] >= 30
    assert all(one["min"] > 0 for one in cell["quantities"].values())


def test_the_stages_are_all_of_the_way(found: dict[str, Any]) -> None:
    quantities = found["cells"][0]["quantities"]
    # The least of each: a stage may have been interrupted, not all of them always.
    parts = sum(quantities[stage]["min"] for stage in STAGES)
    assert parts <= quantities["total"]["min"] * 1.000001
    assert parts > 0.5 * quantities["total"]["min"]


def test_the_machine_the_model_and_the_images_are_recorded(found: dict[str, Any]) -> None:
    assert found["machine"]["packages"]["numpy"] == np.__version__
    assert found["machine"]["kernel"].startswith("Linux")
    assert len(found["cells"][0]["model"]["sha256"]) == 64
    assert found["images"]["kinds"] == {"40x40 PNG": 1}
    assert found["command"][:2] == ["edge-cxr", "benchmark"]


def test_warnings_are_printed_with_json_as_well(found: dict[str, Any]) -> None:
    assert [line.removeprefix("edge-cxr: ") for line in found["stderr"].splitlines()] == (
        found["warnings"]
    )


def test_a_single_round_has_no_interval(found: dict[str, Any]) -> None:
    assert {one["low"] for one in found["cells"][0]["quantities"].values()} == {None}


def test_the_picture_is_whole_and_alone(found: dict[str, Any]) -> None:
    root = ElementTree.fromstring(found["plot"])
    assert root.tag.endswith("svg")
    assert "href" not in found["plot"]
    for stage in STAGES:
        assert f'class="{stage}"' in found["plot"]


class Unread:
    """Standard output whose reader has gone."""

    def write(self, text: str) -> None:
        raise BrokenPipeError

    flush = isatty = lambda self: False


def test_neither_result_nor_picture_is_lost_with_the_other(
    run: Run, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result, "measure", lambda *args, **more: measured(1))
    folder, drawn = tmp_path / "folder.svg", tmp_path / "drawn.svg"
    folder.mkdir()
    line = ["benchmark", "--json", "-m", "cxr-cnn28", str(small), "--plot"]
    done = run(*line, folder)
    assert (done.returncode, "folder.svg" in done.stderr) == (4, True)
    assert json.loads(done.stdout)["machine"] == measured(1)["machine"]
    monkeypatch.setattr(sys, "stdout", Unread())
    assert app.run([*line, str(drawn)]) != 0
    assert ElementTree.fromstring(drawn.read_text()).tag.endswith("svg")


def test_table_and_picture_show_a_file_s_own_words_as_text(capsys: Any) -> None:
    made = measured(1)
    made["machine"]["cpu"] = made["cells"][0]["label"] = "<script>\x1b[2J[bold]"
    ElementTree.fromstring(plot.picture(made))
    text.print_result(made)
    text.print_comparison(("a", "b"), (made, made), compare(made, made))
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [(0.05, "s", "50 ms"), (0, "s", "0"), (2.5e-3, "s", "2.5 ms"), (10.0, "images/s", "10/s")],
)
def test_ticks_are_short(value: float, unit: str, words: str) -> None:
    assert plot.tick(value, unit) == words


def test_no_image_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run("benchmark", tmp_path / "empty")
    assert done.returncode == 2
    assert "no image" in done.stderr
    with pytest.raises(UsageError, match="again and again"):
        gather(["-"])


def test_a_broken_image_gives_its_name_and_no_number(run: Run, tmp_path: Path, small: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(small.read_bytes()[:-40])
    done = run("benchmark", small, broken)
    assert done.returncode == 3
    assert "broken.png: is damaged" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--model", "absent.tflite"), 4, "shipped models are"),
        (("--plot", "absent/plot.svg"), 4, "no such folder"),
        (("absent.png",), 3, "no such file"),
        (("--threads", "0"), 2, "threads"),
    ],
)
def test_errors_are_reported_before_anything_is_measured(
    run: Run, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = run("benchmark", *arguments)
    assert done.returncode == code
    assert words in done.stderr


def test_synthetic_images_are_the_same_everywhere(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(images, "COUNT", 1)
    monkeypatch.setattr(images, "SIDE", 64)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    one, other = (draw(tmp_path / name) for name in ("a", "b"))
    assert one.facts == other.facts
    assert one.facts["kinds"] == {"64x64 PNG": 1}


def test_an_image_set_is_its_pixels_in_their_order(tmp_path: Path, small: Path) -> None:
    copy = tmp_path / "named-otherwise.png"
    Image.open(small).save(copy, compress_level=1)
    other = tmp_path / "other.png"
    Image.new("L", (40, 40)).save(other)
    digest = "pixels_sha256"
    assert gather([str(copy)]).facts[digest] == gather([str(small)]).facts[digest]
    several = [
        gather([str(path) for path in order]).facts[digest]
        for order in ((small, other), (other, small))
    ]
    assert several[0] != several[1]
    with pytest.raises(ImageError):
        gather([str(tmp_path)[:-1] + "absent"])


def test_combinations_are_each_measured_once() -> None:
    name = find_interpreter().name
    made = matrix.combine(Axes(["cxr-cnn28"] * 2, ["auto", name, "cpu"], [1, 2, 1]))
    assert made.cells == [
        Cell("cxr-cnn28", name, 1, f"{name}, cpu"),
        Cell("cxr-cnn28", name, 2, f"{name}, cpu"),
    ]
    assert made.absent == {}
    assert made.cells[1].label == f"cxr-cnn28, {name}, cpu, 2 threads"
    with pytest.raises(UsageError):
        matrix.combine(Axes([]))


def test_a_missing_backend_is_named_with_the_others(run: Run, small: Path, tmp_path: Path) -> None:
    absent = tmp_path / "absent.so"
    done = run(
        "benchmark", "-m", "cxr-cnn28", "--backend", find_interpreter().name,
        "--backend", absent, "--threads", 1, "--workers", 1, "--seconds", 0, "--json", small,
    )  # fmt: skip
    made = json.loads(done.stdout)
    jsonschema.Draft7Validator(SCHEMA).validate(made)
    assert len(made["cells"]) == 1
    (left,) = made["not_measured"]
    assert left["label"] == f"cxr-cnn28, {absent}"
    assert "no such file" in left["reason"]
    assert f"not measured: {left['label']}" in done.stderr
    assert done.returncode == 4


def test_nothing_that_works_is_an_error_and_no_number(run: Run, small: Path) -> None:
    done = run("benchmark", "-m", "cxr-cnn28", "--backend", "/absent.so", small)
    assert (done.returncode, done.stdout) == (4, "")
    assert "/absent.so: no such file" in done.stderr
    done = run("benchmark", "-m", "cxr-cnn28", "--backend", "onnx", small)
    assert done.returncode == 2


def test_a_working_delegate_is_measured_in_addition_to_the_cpu(
    delegate: Build, small: Path
) -> None:
    library, name = str(delegate("WORKS")), find_interpreter().name
    made = matrix.combine(Axes(["cxr-cnn28"], ["cpu", library]))
    assert [cell.backend for cell in made.cells] == [name, f"{library}:{name}"]
    measured = [Measured(cell) for cell in made.cells]
    for one in measured:
        suite.stages(one, [str(small)])
    assert [one.facts["runtime"]["delegate"] for one in measured] == ["cpu", "external"]
    assert measured[1].facts["runtime"]["library"] == library


def test_a_combination_that_fails_half_way_ends_alone(monkeypatch: Any) -> None:
    fake = Fake(0.01)

    def fails(one: Measured, paths: Any) -> None:
        if one.cell.threads == 2 and fake.calls > 8:
            raise processes.ProcessError("killed by SIGSEGV")
        fake.stages(one, paths)

    for name in ("cold_start", "batch"):
        monkeypatch.setattr(suite, name, getattr(fake, name))
    monkeypatch.setattr(suite, "stages", fails)
    cells = [Cell("cxr-cnn28", threads=threads) for threads in (1, 2)]
    made = result.measure(
        Matrix(cells, {}, []), IMAGES, [1], seconds=9, precision=0.02, command=["edge-cxr"]
    )
    assert [cell["label"] for cell in made["cells"]] == [cells[0].label]
    assert made["not_measured"] == [{"label": cells[1].label, "reason": "killed by SIGSEGV"}]
    with pytest.raises(processes.ProcessError):
        suite.run(cells[1:], IMAGES, [1], seconds=9, precision=0.02)


def test_workers_double_up_to_the_cores(monkeypatch: Any) -> None:
    assert matrix.worker_counts(1) == [1]
    assert matrix.worker_counts(6) == [1, 2, 4, 6]
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)
    assert matrix.worker_counts(None) == [1]
    assert suite.one_core()


class Fake:
    """Stands in for the measuring processes: times that repeat, or an end."""

    def __init__(self, noise: float, interrupt_at: int = 10**9) -> None:
        self.noise, self.interrupt_at, self.calls = noise, interrupt_at, 0
        self.generator = np.random.default_rng(0)

    def time(self) -> float:
        self.calls += 1
        if self.calls >= self.interrupt_at:
            raise KeyboardInterrupt
        return float(np.exp(self.generator.normal(0, self.noise)))

    def cold_start(self, one: Measured, paths: Any) -> None:
        one.add("cold_start", "s", self.time())

    def stages(self, one: Measured, paths: Any) -> None:
        now = self.time()
        facts = measured(0)["cells"][0]
        one.note({"model": facts["model"], "runtime": facts["runtime"], "clock_jump": 0.0})
        for name in ("total", *YARDSTICKS):
            one.add(name, "s", now)

    def batch(self, one: Measured, paths: Any, workers: int) -> None:
        one.add(f"throughput_{workers}", "images/s", self.time())


ALONE = Matrix([Cell("cxr-cnn28")], {}, [])
IMAGES = ImageSet(("a.png",), measured(0)["images"])


def suite_with(fake: Fake, monkeypatch: Any, seconds: float = 1e9, **more: Any) -> Any:
    for name in ("cold_start", "stages", "batch"):
        monkeypatch.setattr(suite, name, getattr(fake, name))
    options = {"seconds": seconds, "precision": 0.02, **more}
    return suite.run([Cell("cxr-cnn28")], IMAGES, [1, 2], **options)


def test_it_ends_when_it_is_precise_and_goes_on_while_it_is_not(monkeypatch: Any) -> None:
    steady, how = suite_with(Fake(0.001), monkeypatch)
    assert how == "precise"
    shaky, how = suite_with(Fake(0.04), monkeypatch)
    assert how == "precise"
    counts = [len(one[0].quantities["total"].runs) for one in (steady, shaky)]
    assert counts[0] == suite.MIN_ROUNDS < counts[1]


def test_it_ends_when_the_time_is_spent_and_says_so(monkeypatch: Any) -> None:
    _, how = suite_with(Fake(5.0), monkeypatch, seconds=0)
    assert how == "budget"


def test_what_was_measured_before_ctrl_c_is_kept_and_marked(monkeypatch: Any) -> None:
    fake = Fake(0.01, interrupt_at=7)  # in the second round, after its stages
    for name in ("cold_start", "stages", "batch"):
        monkeypatch.setattr(suite, name, getattr(fake, name))
    made = result.measure(ALONE, IMAGES, [1, 2], seconds=9, precision=0.02, command=["edge-cxr"])
    assert made["partial"] is True
    assert any("interrupted" in warning for warning in made["warnings"])
    assert made["cells"][0]["quantities"]["total"]["count"] == 2
    assert made["cells"][0]["quantities"]["throughput_2"]["count"] == 1
    jsonschema.Draft7Validator(SCHEMA).validate(made)


def made_with(fake: Fake, monkeypatch: Any) -> dict[str, Any]:
    for name in ("cold_start", "stages", "batch"):
        monkeypatch.setattr(suite, name, getattr(fake, name))
    return result.measure(ALONE, IMAGES, [1], seconds=0, precision=0.02, command=["edge-cxr"])


def test_a_clock_that_jumps_in_a_measuring_process_is_said(monkeypatch: Any) -> None:
    fake = Fake(0.01)
    stages = fake.stages

    def jump(one: Measured, paths: Any) -> None:
        stages(one, paths)
        one.note({**one.facts, "clock_jump": 3600.0 if fake.calls < 4 else 0.0})

    fake.stages = jump  # type: ignore[method-assign]
    made = made_with(fake, monkeypatch)
    assert any("wall clock went astray by +3600.0 s" in line for line in made["warnings"])
    assert all(run < 2 for run in made["cells"][0]["quantities"]["total"]["runs"])


def test_one_core_is_said(monkeypatch: Any) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)
    assert any(
        "there is one core" in line for line in made_with(Fake(0.01), monkeypatch)["warnings"]
    )


def test_a_machine_under_load_is_said(monkeypatch: Any) -> None:
    now = conditions.observe()
    seen = iter(
        replace(now, monotonic=t, wall=t, own=0.0, busy=busy, stolen=0.0)
        for t, busy in ((100.0, 0.0), (110.0, 15.0))
    )
    monkeypatch.setattr(conditions, "observe", lambda: next(seen))
    made = made_with(Fake(0.01), monkeypatch)
    assert any("other programs used 1.50 cores" in line for line in made["warnings"])


def test_an_emulated_machine_is_said(monkeypatch: Any) -> None:
    identity = {"machine": "aarch64", "cpu": "Cortex-A72", "board": "Raspberry Pi 4, by QEMU"}
    monkeypatch.setattr(result.machine, "identity", lambda: identity)
    made = made_with(Fake(0.01), monkeypatch)
    assert "its times mean nothing" in made["warnings"][0]


def test_an_image_that_vanishes_meanwhile_ends_it_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.png: no such file"):
        suite.stages(Measured(Cell("cxr-cnn28")), [str(tmp_path / "gone.png")])
    with pytest.raises(ImageError, match="cannot be read any more"):
        suite.batch(Measured(Cell("cxr-cnn28")), [str(tmp_path / "gone.png")], 1)


def test_ctrl_c_before_anything_is_known_is_an_error_and_no_number(monkeypatch: Any) -> None:
    fake = Fake(0.01, interrupt_at=1)
    monkeypatch.setattr(suite, "cold_start", fake.cold_start)
    with pytest.raises(result.NothingMeasuredError):
        result.measure(ALONE, IMAGES, [1], seconds=9, precision=0.02, command=[])


def test_ctrl_c_at_the_terminal_prints_what_is_known(small: Path) -> None:
    primary, secondary = pty.openpty()
    line = [sys.executable, "-m", "edge_app", "benchmark", "-m", "cxr-cnn28", "--json"]
    with subprocess.Popen(
        [*line, "--workers", "1", "--precision", "0.001", str(small)],
        stdout=subprocess.PIPE, stderr=secondary, text=True,
    ) as child:  # fmt: skip
        os.close(secondary)
        said = b""
        while b"round 2" not in said:
            said += os.read(primary, 4096)
        child.send_signal(signal.SIGINT)
        assert child.stdout is not None
        made = json.loads(child.stdout.read())
        child.wait(timeout=60)
    os.close(primary)
    assert child.returncode == 130
    assert made["partial"] is True
    assert made["cells"][0]["quantities"]["throughput_1"]["count"] >= 1


def test_a_machine_that_slows_down_is_reported() -> None:
    slow = Measured(Cell("cxr-cnn28"))
    for turn in range(9):
        slow.add(YARDSTICKS[0], "s", 1.0 + 0.05 * turn)
    assert suite.drift([slow]) > result.SLOWED
    steady = Measured(Cell("cxr-cnn28"))
    for _ in range(9):
        steady.add(YARDSTICKS[0], "s", 1.0)
    assert suite.drift([steady]) == 1.0


def test_a_process_s_peak_is_its_own_and_not_its_starter_s() -> None:
    held = np.ones(40 << 20, np.uint8)  # this process is larger than what it starts
    peaks = [
        processes.launch([sys.executable, "-S", "-c", f"x = b'1' * ({size} << 20)"])["peak"]
        for size in (0, 60)
    ]
    assert peaks[0] < 30 << 20 <= held.size
    assert 55 << 20 < peaks[1] - peaks[0] < 75 << 20


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; sys.exit('edge-cxr: no luck')", "no luck"),
        ("import os; os.kill(os.getpid(), 9)", "failed"),
    ],
)
def test_a_process_that_fails_gives_no_time(code: str, words: str) -> None:
    with pytest.raises(processes.ProcessError, match=words):
        processes.launch([sys.executable, "-c", code])


def test_a_child_s_complaint_keeps_its_kind() -> None:
    fail = "import sys; sys.stdin.read(); print('x.png: is damaged', file=sys.stderr); sys.exit(3)"
    with pytest.raises(ImageError, match="is damaged"):
        processes.ask([sys.executable, "-c", fail], {})
    with pytest.raises(processes.ProcessError, match="killed by SIGSEGV"):
        processes.ask([sys.executable, "-c", "import os; os.kill(os.getpid(), 11)"], {})
    with pytest.raises(processes.ProcessError, match="answered nothing"):
        processes.ask([sys.executable, "-c", "pass"], {})
