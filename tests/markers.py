"""Which tests are slow, start processes, or need data, TensorFlow or emulated boards.

Most of it follows from where a test lies, which fixtures it uses and what it calls, so that a new
test is marked without a word. Only what is slow is listed, in `SLOW`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from types import CodeType, FunctionType
from typing import Any, Final

import pytest

MARKERS: Final = {
    "slow": "takes about two seconds or more",
    "process": "starts processes: edge-cxr as its users start it, a compiler, an installation",
    "data": "needs the NIH subset: EDGE_CXR_DATA, or shared/data beside the repository",
    "tensorflow": "needs the workstation's environment",
    "emulated": "runs on a Raspberry Pi under emulation, with QEMU",
}

TENSORFLOW: Final = ("tests/train", "tests/quantize", "tests/benchmarks")
EMULATED: Final = ("tests/boards/test_emulated.py", "tests/boards/test_own_model.py")

PROCESS_FOLDERS: Final = ("tests/device/backends", "tests/device/inspection")
"""A runtime or a delegate that misbehaves must not do so in the process of the tests: their `run`
is always a process."""

PROCESS_OPTIONS: Final = frozenset({"env", "timeout", "preexec_fn", "pass_fds"})
"""Keywords of `run` that only a process of its own can have."""

PROCESS_NAMES: Final = frozenset({"subprocess", "launch", "run_process"})
"""What starts a process where a test, a helper of it or a fixture of it names it."""

SLOW: Final = (
    "tests/boards",
    "tests/quantize/importing",
    "tests/quantize/repairs/test_equalise.py",
    "tests/quantize/repairs/test_spare_channels.py",
    "tests/quantize/studies/test_faults.py",
    "tests/quantize/studies/test_film.py",
    "tests/quantize/studies/test_localisation.py",
    "tests/quantize/studies/test_schemes.py",
    "tests/quantize/test_card.py",
    "tests/quantize/test_cli.py",
    "tests/quantize/test_convert.py",
    "tests/quantize/test_int8.py",
    "tests/quantize/test_mixed.py",
    "tests/quantize/test_own_data.py",
    "tests/quantize/test_pipeline.py",
    "tests/quantize/test_reproduce.py",
    "tests/train/test_anywhere.py",
    "tests/train/test_backends.py",
    "tests/train/test_cache.py::test_memory_is_flat_in_the_number_of_images",
    "tests/train/parcel/test_journey.py",
    "tests/train/test_chosen_check.py",
    "tests/train/test_few.py",
    "tests/train/test_fit.py",
    "tests/train/test_float_report.py",
    "tests/train/test_input_check.py",
    "tests/train/test_refit.py",
    "tests/train/test_run.py",
    "tests/train/test_source.py",
    "tests/train/test_published.py",
    "tests/train/test_targets.py",
    "tests/train/test_tutorial.py",
    "tests/train/test_teacher_files.py",
    "tests/device/backends/test_delegates.py",
    "tests/device/backends/test_runtimes.py::"
    "test_a_runtime_that_does_not_work_is_named_and_ends_nothing_else",
    "tests/device/archive/test_archive.py::test_real_kills_leave_what_one_run_leaves",
    "tests/device/archive/test_cluster.py",
    "tests/device/archive/test_remote.py::test_a_bucket_of_a_real_server",
    "tests/device/clinic/page",
    "tests/device/clinic/test_kills.py",
    "tests/device/clinic/test_metrics.py",
    "tests/device/core/test_inject.py::test_a_call_that_fails_costs_one_line_and_nothing_else",
    "tests/device/core/test_shortage.py::test_without_descriptors_no_file_is_called_damaged",
    "tests/device/clinic/test_node.py",
    "tests/device/clinic/test_serve.py",
    "tests/device/clinic/test_structured_report.py",
    "tests/device/evaluation/test_evaluate.py::test_any_number_of_workers_writes_the_same_report",
    "tests/device/cli/test_streams_and_signals.py::"
    "test_memory_does_not_grow_with_the_number_of_images",
    "tests/device/cli/test_classify.py::test_two_hundred_mixed_files_each_get_their_answer",
    "tests/device/cli/test_classify.py::test_workers_change_neither_answers_nor_their_order",
    "tests/device/cli/test_models.py::test_no_text_of_a_model_steers_a_terminal_or_a_page",
    "tests/device/comparison/test_compare_command.py::"
    "test_the_page_of_the_shipped_reports_is_small",
    "tests/device/comparison/test_document.py::test_what_compare_prints_holds_to_its_schema",
    "tests/device/comparison/test_reference.py",
    "tests/device/evaluation/test_journal.py::test_a_changed_byte_never_changes_a_record",
    "tests/device/evaluation/test_journal.py::"
    "test_wherever_the_power_failed_whole_records_stay_and_the_rest_can_be_done_again",
    "tests/device/evaluation/test_metrics.py::test_the_interval_has_the_coverage_it_claims",
    "tests/device/evaluation/test_splits.py::"
    "test_the_chosen_patients_depend_on_who_there_is_and_nothing_else",
    "tests/device/heatmap/test_heatmap.py::test_a_heatmaps_name_is_one_plain_file",
    "tests/device/heatmap/test_maps.py::test_evidence_is_relative_to_the_map_itself",
    "tests/device/images/test_png.py::test_deflated_bytes_of_which_nothing_comes_are_refused",
    "tests/device/images/test_png.py::test_pillow_sees_the_same_picture",
    "tests/device/images/test_png.py::test_what_follows_the_pixel_data_costs_no_time",
    "tests/device/images/test_windowing.py::test_the_middle_is_between_the_percentiles",
    "tests/device/model/test_decisions.py::test_no_answer_contradicts_itself",
    "tests/device/model/test_model_file.py::"
    "test_a_broken_zip_directory_is_refused_or_changes_nothing",
    "tests/device/model/test_model_file.py::test_a_flipped_bit_is_refused_or_changes_nothing",
    "tests/device/model/test_model_file.py::"
    "test_the_check_at_load_agrees_with_the_reference_validator",
    "tests/device/model/test_other_models.py",
    "tests/device/model/test_preprocess.py::test_a_picture_of_the_wanted_size_is_untouched",
    "tests/device/performance/test_interval.py::"
    "test_an_adjusted_interval_covers_as_often_as_it_says",
    "tests/device/pipeline/test_html.py::test_a_browser_shows_it_wide_and_narrow_in_light_and_dark",
    "tests/device/test_damage.py",
    "tests/device/images/test_mutations.py",
    "tests/device/inspection/test_doctor.py",
    "tests/device/model/test_shrunk.py::test_a_synthetic_radiograph_keeps_its_scores",
    "tests/device/performance/test_benchmark.py",
    "tests/device/performance/test_compare.py::"
    "test_neighbours_neither_hide_a_tenth_nor_pass_for_one",
    "tests/device/performance/test_compare.py::"
    "test_ten_percent_in_one_stage_are_found_there_and_nowhere_else",
    "tests/device/performance/test_compare.py::"
    "test_two_measurements_of_one_version_are_not_called_different",
    "tests/device/performance/test_compare.py::"
    "test_what_holds_up_the_processes_does_not_hide_a_tenth",
    "tests/device/performance/test_compare.py::"
    "test_what_does_not_follow_the_pace_is_not_the_same_because_the_machine_was_slower",
    "tests/device/test_wheel.py",
)
"""Folders, files in which most tests are, or single tests (``file::test``)."""


def configure(config: pytest.Config) -> None:
    """Register the markers; with `--strict-markers` there are no others."""
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def mark(item: pytest.Function) -> None:
    """Add the markers that follow from a test's place, fixtures and code."""
    place = item.nodeid.split("[")[0]
    fixtures = set(item.fixturenames)
    if _lies_in(place, SLOW):
        item.add_marker("slow")
    if "nih" in fixtures or "nih" in _requested_fixtures(item):
        item.add_marker("data")
    if _lies_in(place, TENSORFLOW):
        item.add_marker("tensorflow")
    if _lies_in(place, EMULATED):
        item.add_marker("emulated")
    apart = "run" in fixtures and _lies_in(place, PROCESS_FOLDERS)
    if apart or any(map(_starts_a_process, _functions(item))):
        item.add_marker("process")


def _lies_in(place: str, folders: tuple[str, ...]) -> bool:
    return any(place == f or place.startswith((f"{f}/", f"{f}::")) for f in folders)


def _requested_fixtures(item: pytest.Function) -> set[str]:
    """Fixtures that a test takes by name, through `getfixturevalue`."""
    return {
        constant
        for function in _functions(item)
        if "getfixturevalue" in function.__code__.co_names
        for constant in function.__code__.co_consts
        if isinstance(constant, str)
    }


def _functions(item: pytest.Function) -> Iterator[FunctionType]:
    """The test, and the fixtures it uses but `run`, which decides by the marker."""
    yield item.function
    definitions: dict[str, Any] = item._fixtureinfo.name2fixturedefs
    for name in item.fixturenames:
        for definition in definitions.get(name, ()):
            if name != "run" and isinstance(definition.func, FunctionType):
                yield definition.func


def _starts_a_process(function: FunctionType, seen: frozenset[FunctionType] = frozenset()) -> bool:
    """Whether its code, or a function of the tests that it calls, starts a process."""
    for code in _codes(function.__code__):
        if PROCESS_NAMES & {*code.co_names, *code.co_varnames, *code.co_freevars}:
            return True
        keywords = {k for each in code.co_consts if isinstance(each, tuple) for k in each}
        if PROCESS_OPTIONS & keywords and "run" in (*code.co_varnames, *code.co_freevars):
            return True
        for name in code.co_names:
            called = function.__globals__.get(name)
            if not isinstance(called, FunctionType) or not _is_of_the_tests(called):
                continue
            if called not in seen and _starts_a_process(called, seen | {function}):
                return True
    return False


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code and that of the functions within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _is_of_the_tests(function: FunctionType) -> bool:
    return "tests" in PurePath(function.__code__.co_filename).parts
