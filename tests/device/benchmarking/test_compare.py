"""Results side by side: real differences found, others not, the incomparable refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_app.benchmarking.compare import compare
from edge_app.benchmarking.pipeline import YARDSTICKS
from edge_app.benchmarking.result import load
from edge_app.errors import ReportError

from ..conftest import Run
from .results import SECONDS, measured, quantity


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


def disturbed(seed: int, slower: Callable[[Any], Any]) -> Any:
    """Whose stages other programs held up, in some processes more than in others."""
    generator = np.random.default_rng(seed)
    runs = 30
    result = measured(seed, runs=runs)
    for name in ("decode", "resize", "total"):
        held_up = generator.exponential(generator.uniform(0.02, 0.6, (runs, 1)), (runs, 60))
        samples = SECONDS[name] * (1 + held_up)
        samples = slower(samples) if name == "resize" else samples
        result["cells"][0]["quantities"][name] = quantity(list(samples))
    return result


def by_a_tenth(samples: Any) -> Any:
    return samples * 1.1


def two_images_in_three(samples: Any) -> Any:
    samples = samples.copy()
    samples[:, :40] *= 2
    return samples


def test_what_holds_up_the_processes_does_not_hide_a_tenth() -> None:
    for seed in range(50):
        quiet, other = disturbed(2 * seed, lambda x: x), disturbed(2 * seed + 1, by_a_tenth)
        found = [e for e in compare(quiet, other).differences if e.verdict == "slower"]
        assert [(each.quantity, each.statistic) for each in found] == [("resize", "p10")], seed
        assert found[0].after == pytest.approx(1.1 * found[0].before, rel=0.03)


def test_what_only_some_images_became_slower_by_is_found_by_the_median() -> None:
    quiet, other = disturbed(1, lambda x: x), disturbed(2, two_images_in_three)
    found = [each for each in compare(quiet, other).differences if each.verdict == "slower"]
    assert [(each.quantity, each.statistic) for each in found] == [("resize", "median")]


def test_a_result_without_the_quiet_tenth_is_compared_by_the_medians() -> None:
    quiet, other = disturbed(1, lambda x: x), disturbed(2, two_images_in_three)
    for each in quiet["cells"][0]["quantities"].values():
        each.pop("runs_p10", None)
    (found,) = [each for each in compare(quiet, other).differences if each.verdict == "slower"]
    assert found.quantity == "resize"


def beside_neighbours(seed: int, share: float, slower: float = 1.0) -> Any:
    """Whose machine is slowed down by others, a `share` of it on average, and stages unequally."""
    generator = np.random.default_rng(seed)
    runs = 30
    result = measured(seed, runs=runs)
    pace = 1 + generator.exponential(share, runs)
    for name, slope in {
        "decode": 1.0,
        "resize": 2.3,
        "total": 1.3,
        **dict.fromkeys(YARDSTICKS, 1),
    }.items():
        noise = np.exp(generator.normal(0, 0.02, runs))
        values = SECONDS[name] * pace**slope * noise * (slower if name == "resize" else 1)
        result["cells"][0]["quantities"][name] = quantity(list(map(float, values)))
    return result


def test_neighbours_neither_hide_a_tenth_nor_pass_for_one() -> None:
    called = missed = 0
    for seed in range(100):
        quiet, loud = beside_neighbours(2 * seed, 0.03), beside_neighbours(2 * seed + 1, 0.12)
        called += bool(compare(quiet, loud).slower or compare(loud, quiet).slower)
        for before, share in ((quiet, 0.12), (loud, 0.03)):
            after = beside_neighbours(2 * seed + 1000, share, slower=1.1)
            found = [each.quantity for each in compare(before, after).slower]
            missed += "resize" not in found
            called += bool(set(found) - {"resize"})
    assert (called <= 4, missed <= 10) == (True, True), (called, missed)  # of 300, and of 200


def test_a_machine_that_was_slower_as_a_whole_is_no_slower_version() -> None:
    names = ("read", "decode", "resize", "invoke", "total", *YARDSTICKS)
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
        ('{"kind": 1e999}', "no time and no size"),
        ('{"kind": 1' + 400 * "0" + "}", "no time and no size"),
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
