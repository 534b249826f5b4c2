"""Results side by side: real differences found, others not, the incomparable refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_app.benchmarking.compare import compare
from edge_app.benchmarking.result import load
from edge_app.errors import ReportError

from ..conftest import Run
from .results import measured


def test_two_measurements_of_one_version_are_not_called_different() -> None:
    called = 0
    for seed in range(200):
        comparison = compare(measured(2 * seed), measured(2 * seed + 1))
        called += any(each.verdict in ("slower", "faster") for each in comparison.differences)
    assert called <= 4  # 5 % would be 10; the margin leaves fewer


def test_ten_percent_in_one_stage_are_found_there_and_nowhere_else() -> None:
    for seed in range(100):
        comparison = compare(measured(2 * seed), measured(2 * seed + 1, {"resize": 1.1}))
        found = [each.quantity for each in comparison.differences if each.verdict == "slower"]
        assert found == ["resize"], seed


def test_a_machine_that_was_slower_as_a_whole_is_no_slower_version() -> None:
    names = ("read", "decode", "resize", "invoke", "total", "yardstick")
    comparison = compare(measured(1), measured(2, dict.fromkeys(names, 1.15)))
    assert comparison.slower == []
    assert any("the machine itself took 1.1" in note for note in comparison.notes)


def test_fewer_images_a_second_are_slower_and_more_memory_is_too() -> None:
    changes = {"throughput_1": 0.8, "throughput_4": 1.25, "peak_memory": 1.3}
    found = {e.quantity: e.verdict for e in compare(measured(1), measured(2, changes)).differences}
    assert found["throughput_1"] == "slower"
    assert found["throughput_4"] == "faster"
    assert found["peak_memory"] == "slower"


def test_between_boards_there_are_ratios_and_no_verdict() -> None:
    other = measured(2, {"invoke": 0.5})
    other["machine"]["cpu"] = "Cortex-A76"
    comparison = compare(measured(1), other)
    assert {each.verdict for each in comparison.differences} == {None}
    (invoke,) = [each for each in comparison.differences if each.quantity == "invoke"]
    assert invoke.ratio.value == pytest.approx(0.5, rel=0.05)
    assert any("different machines" in note for note in comparison.notes)


def other_images(result: Any) -> None:
    result["images"]["pixels_sha256"] = "2" * 64


def other_files(result: Any) -> None:
    result["images"]["bytes"] *= 2


def other_model(result: Any) -> None:
    result["cells"][0]["model"]["sha256"] = "2" * 64


def other_threads(result: Any) -> None:
    result["cells"][0]["runtime"]["threads"] = 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (other_images, "other images"),
        (other_files, "files of other sizes"),
        (other_model, "other models"),
        (other_threads, "in common"),
    ],
)
def test_what_cannot_be_compared_is_refused(change: Any, words: str) -> None:
    other = measured(2)
    change(other)
    with pytest.raises(ReportError, match=words):
        compare(measured(1), other)


def test_a_single_run_is_unclear_and_not_the_same() -> None:
    comparison = compare(measured(1, runs=1), measured(2, {"decode": 2.0}, runs=1))
    assert {each.verdict for each in comparison.differences} == {"unclear"}


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(name: str, result: Any) -> Path:
        (tmp_path / name).write_text(json.dumps(result))
        return tmp_path / name

    return write


def test_the_command_fails_on_a_slower_version_and_names_what(run: Run, written: Any) -> None:
    first, second = written("a.json", measured(1)), written("b.json", measured(2, {"decode": 1.2}))
    done = run("benchmark", "--compare", first, second)
    assert done.returncode == 5
    assert "slower: cxr-lite0-128, 1 thread: decode" in done.stderr
    assert "1.2" in done.stdout
    assert run("benchmark", "--compare", first, written("c.json", measured(3))).returncode == 0


def test_several_results_are_each_compared_with_the_first(run: Run, written: Any) -> None:
    paths = [written(f"{seed}.json", measured(seed)) for seed in range(3)]
    done = run("benchmark", "--json", "--compare", *paths)
    found = json.loads(done.stdout)
    assert [Path(each["after"]).name for each in found] == ["1.json", "2.json"]
    assert found[0]["same_machine"] is True
    assert {"quantity", "ratio", "low", "high", "verdict"} <= set(found[0]["differences"][0])


def test_a_partial_result_is_compared_and_said_to_be_partial(run: Run, written: Any) -> None:
    half = measured(2)
    half.update(partial=True, ended="interrupted")
    del half["cells"][0]["quantities"]["throughput_4"]
    done = run("benchmark", "--compare", written("a.json", measured(1)), written("b.json", half))
    assert "second result is partial" in done.stdout
    assert "4 workers" not in done.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[1]", "no result of edge-cxr benchmark"),
        ('{"kind": "edge-cxr benchmark", "schema_version": 9}', "update edge-cxr"),
        ('{"kind": "edge-cxr benchmark", "schema_version": 1}', "damaged"),
        ('{"kind": NaN}', "not JSON"),
    ],
)
def test_a_file_that_is_no_result_is_one_line(
    run: Run, written: Any, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "bad.json").write_text(text)
    done = run("benchmark", "--compare", written("a.json", measured(1)), tmp_path / "bad.json")
    assert done.returncode == 3
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_comparison_takes_two(run: Run, written: Any) -> None:
    done = run("benchmark", "--compare", written("a.json", measured(1)))
    assert done.returncode == 2
    assert "two results" in done.stderr


def test_what_is_written_is_read_back(written: Any) -> None:
    result = measured(4)
    assert load(written("a.json", result)) == result
