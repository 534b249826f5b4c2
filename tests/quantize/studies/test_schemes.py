"""Schemes, repairs, outputs and layers measured side by side on a network that nobody trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_app.backends.interpreters import find_interpreter
from edge_app.backends.self_test import self_test
from edge_app.model.model_file import read
from quantize.convert import SCHEMES, stratified_rows
from quantize.repairs.registry import REPAIRS
from quantize.studies import layers as layers_study
from quantize.studies.bench import Bench
from quantize.studies.layers import layer_errors, layers
from quantize.studies.outputs import outputs
from quantize.studies.result import Result
from quantize.studies.schemes import VARIANTS, Variant, matrix
from train.cache import Cached
from train.finished_run import FinishedRun
from train.labels import LABELS


@pytest.fixture(scope="module")
def table(bench: Bench) -> Result:
    few = (
        *(Variant(scheme, images=20) for scheme in SCHEMES),
        Variant("int8", "least squares", 20),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quantize.studies.schemes.VARIANTS", few)
        return matrix(bench)


def test_there_is_a_row_for_every_scheme_and_repair() -> None:
    assert {variant.scheme for variant in VARIANTS} == set(SCHEMES)
    assert {variant.repair for variant in VARIANTS} == set(REPAIRS)
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS)


def test_what_each_scheme_costs_is_in_its_order(table: Result) -> None:
    found = {row["name"]: row for row in table.content["variants"]}
    sizes = [found[name]["bytes"] for name in ("float32", "float16", "dynamic")]
    assert sizes[0] > 1.8 * sizes[1] > 3 * sizes[2]
    errors = {name: row["logit_rms"] for name, row in found.items()}
    assert errors["float32"] < 1e-4 < errors["float16"] < errors["int16x8"]
    assert errors["int8, least squares, 20 images"] < errors["int8, plain, 20 images"]
    assert found["float32"]["agreement"]["value"] > 0.995  # thresholds lie on scores
    assert found["float32"]["times_float32"] == 1
    assert all(row["times_float32"] > 0 for row in found.values())


@pytest.mark.parametrize("scheme", ["float32", "float16", "dynamic", "int16x8"])
def test_the_device_runs_every_scheme(table: Result, bench: Bench, scheme: str) -> None:
    model = read(bench.folder / f"{scheme}.tflite")
    assert not model.integer
    assert model.manifest["quantization"]["scheme"] == scheme
    assert self_test(find_interpreter().open(model)).logits == 0


def test_an_int8_sigmoid_is_coarser_and_its_gate_says_so(bench: Bench) -> None:
    result = outputs(bench)
    tied = {
        kind: np.mean([row[kind]["tied"] for row in result.content["labels"]])
        for kind in ("sigmoid", "logits")
    }
    assert tied["sigmoid"] > tied["logits"]
    assert "tied" in result.content["gates_not_met"]["sigmoid"]
    assert result.content["gates_not_met"]["logits"] == []
    assert [row[0] for row in result.rows] == [*LABELS, "macro, findings"]


def test_layers_alone_change_less_than_all_of_them(bench: Bench) -> None:
    result = layer_errors(replace(bench, calibration_images=20), "none")
    assert result["repair_alone"] == 0
    kernels = {row["layer"]: row["kernel"] for row in result["layers"] if row["kernel"] is not None}
    assert set(kernels) == {f"conv{stage}{step}" for stage in range(3) for step in "ab"} | {"map"}
    assert 0 < max(kernels.values()) < result["everything"]
    activations = {row["layer"]: row for row in result["layers"] if row["activation"] is not None}
    assert {"relu0a", "map", "logits"} <= set(activations)
    low, high = activations["relu0a"]["range"]
    assert low == 0 < high <= 6


def test_the_layers_that_change_most_stand_in_the_table(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers_study, "SHOWN", 2)
    result = layers(replace(bench, calibration_images=20))
    found = {
        row["layer"]: max(row["kernel"] or 0, row["activation"] or 0)
        for row in result.content["layers"]
    }
    assert result.rows[0][0] == "all"
    assert [found[row[0]] for row in result.rows[1:]] == sorted(found.values())[:-3:-1]


def test_simulated_int8_is_near_the_real_one(bench: Bench, table: Result) -> None:
    result = layer_errors(bench, "none")
    real = next(
        row["logit_rms"]
        for row in table.content["variants"]
        if row["name"].startswith("int8, plain")
    )
    assert 0.6 * real < result["everything"] < 1.6 * real


def test_labels_take_turns_in_a_stratified_choice(untrained: tuple[FinishedRun, Cached]) -> None:
    training = untrained[1].split("train")
    rare = training.targets.copy()
    rare[5:, 0] = 0  # at most five images of the first label
    few = Cached(training.images, rare, training.table, training.rows, training.name)
    rows = stratified_rows(few, 45, seed=1)
    assert len(rows) == len(set(rows)) == 45
    assert set(np.flatnonzero(rare[:, 0])) <= set(rows)
    assert (few.targets[rows].sum(axis=0)[1:] >= 3).all()
