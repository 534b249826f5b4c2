"""`edge-cxr models` as its users meet it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from edge_app.core.errors import ModelError
from edge_app.core.plain_text import plain
from edge_app.model import archive
from edge_app.model.model_file import read

from ..conftest import Run


def test_models_list_and_inspect_show_what_is_in_the_file(run: Run) -> None:
    listed = json.loads(run("models list", "--json").stdout)
    assert [model["name"] for model in listed if model["default"]] == ["cxr-lite0-fine"]
    for model in listed:
        manifest = json.loads(run("models inspect", "--json", model["name"]).stdout)
        assert manifest["flatbuffer"]["sha256"] == model["sha256"]
        assert manifest["metrics"]["macro_auroc"] == model["metrics"]["macro_auroc"]
        readable = run("models inspect", model["name"]).stdout
        assert model["sha256"][:16] in readable
        assert "Hernia" in readable
        # The default is the point that classify decides at, and each is named as --operating-point
        # takes it.
        before, after = readable.split("(default)")
        assert "one-in-ten" in before
        assert "one-in-four" in after
        assert "operating point 'per-label:balanced':" in readable
        assert "not compiled for it" in readable


def test_models_verify_runs_the_golden_vectors(run: Run) -> None:
    done = run("models verify", "--json")
    answers = json.loads(done.stdout)
    assert done.returncode == 0
    assert {answer["name"] for answer in answers} == {
        *("cxr-lite0-128", "cxr-lite0-fine", "cxr-cnn28")
    }
    assert all(answer["ok"] and answer["off"] <= answer["tolerance"] for answer in answers)


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


def rewritten(
    path: Path, into: Path, change: Callable[[dict[str, Any]], None], anew: Sequence[str] = ()
) -> Path:
    """A model file with its manifest changed by hand, and the digests of these parts made anew."""
    data = path.read_bytes()
    members = archive.unzip(data, "edgetpu.tflite")
    manifest = json.loads(members[archive.MANIFEST])
    flatbuffer = data[: manifest["flatbuffer"]["bytes"]]
    change(manifest)
    members[archive.MANIFEST] = json.dumps(manifest).encode()
    if archive.SUMS in anew:
        del members[archive.SUMS]
        members[archive.SUMS] = archive.sums(archive.digests(flatbuffer, members))
    into.write_bytes(archive.append(flatbuffer, members))
    return into


def steeper(manifest: dict[str, Any]) -> None:
    manifest["calibration"]["slope"][0] *= 50


def test_an_edited_slope_is_found_at_the_digests_or_at_the_answers(
    run: Run, cnn28: Path, tmp_path: Path
) -> None:
    edited = rewritten(cnn28, tmp_path / "a.tflite", steeper)
    done = run("models verify", edited)
    assert (done.returncode, done.stdout) == (4, "")
    assert "manifest.json is not what the model was saved with" in done.stderr

    sealed = rewritten(cnn28, tmp_path / "b.tflite", steeper, [archive.SUMS])
    done = run("models verify", sealed)
    assert (done.returncode, done.stdout) == (4, "")
    assert "its scores or decisions are not those that it was saved with" in done.stderr


def places(part: Any) -> Iterator[tuple[Any, Any]]:
    """Each text in a manifest, as what holds it and where there."""
    for key in list(part) if isinstance(part, dict) else range(len(part)):
        if isinstance(part[key], str):
            yield part, key
        elif isinstance(part[key], dict | list):
            yield from places(part[key])


STEERING = ("\x1b[2J", "\x9b2J", "a\nb", "\u202egnp", "\r", "\x07", "\u2028")


def test_no_text_of_a_model_steers_a_terminal_or_a_page(
    run: Run, cnn28: Path, tmp_path: Path, picture: Path
) -> None:
    """One is put into each text of the manifest in turn; the digests are made anew."""
    manifest = read(cnn28).manifest
    count = len(list(places(manifest)))
    assert count > 50
    for number in range(count):

        def change(stated: dict[str, Any], number: int = number) -> None:
            holder, key = list(places(stated))[number]
            holder[key] += STEERING[number % len(STEERING)]

        bad = rewritten(cnn28, tmp_path / "bad.tflite", change, [archive.SUMS])
        with pytest.raises(ModelError) as caught:
            read(bad)
        assert plain(str(caught.value)).isprintable()
    for command in (("models inspect", bad), ("models list",), ("classify", picture, "-m", bad)):
        done = run(*command)
        assert done.stdout.replace("\n", "").isprintable()
        assert done.stderr.replace("\n", "").isprintable()


def test_what_is_float32_within_an_int8_network_is_said(
    run: Run, cnn28: Path, tmp_path: Path, picture: Path
) -> None:
    def stating(kept: Any) -> Path:
        def change(stated: dict[str, Any]) -> None:
            stated["quantization"]["in_float32"] = kept

        return rewritten(cnn28, tmp_path / "mixed.tflite", change, [archive.SUMS])

    mixed = stating({"operators": ["a", "b", "c"], "of": 9})
    text = " ".join(run("models inspect", mixed).stdout.split())
    assert "3 of 9 operators" in text
    assert "not compiled for it, and it cannot map what stays in float32" in text
    assert (
        ", int8 and float32: knows the 14 findings" in run("classify", picture, "-m", mixed).stdout
    )
    answer = json.loads(run("classify", "--json", picture, "-m", mixed).stdout)
    assert answer["model"]["dtype"] == "int8 and float32"
    for other in (
        {},
        {"operators": 3, "of": 9},
        {"operators": [], "of": "9"},
        {"operators": [], "of": 0},
        ["a"],
    ):
        assert read(stating(other)).precision == "int8"


def test_a_key_of_a_manifest_is_a_text_too(cnn28: Path, tmp_path: Path) -> None:
    def change(stated: dict[str, Any]) -> None:
        stated["operating_points"]["\x1b[2J"] = stated["operating_points"]["balanced"]

    with pytest.raises(ModelError, match="cannot be printed"):
        read(rewritten(cnn28, tmp_path / "bad.tflite", change, [archive.SUMS]))
