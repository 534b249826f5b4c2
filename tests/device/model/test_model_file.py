"""Model files: written, read back, and refused by name when anything about them is wrong."""

from __future__ import annotations

import copy
import hashlib
import json
import struct
import time
import warnings
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_app.backends.interpreters import find_interpreter
from edge_app.backends.self_test import self_test
from edge_app.core.errors import InvalidError, ModelError
from edge_app.model import archive, model_file
from edge_app.model import manifest_check_generated as manifest_check
from edge_app.model.model_file import SHIPPED, ModelFile, read
from train.labels import LABELS


def bare() -> bytes:
    """The small shipped model without its input check, which has tests of its own."""
    shipped = read(SHIPPED / "cxr-cnn28.tflite")
    stated = {key: value for key, value in shipped.manifest.items() if key != "input_check"}
    with TemporaryDirectory() as folder:
        path = Path(folder, "bare.tflite")
        shipped.replace(manifest=stated, check_weights=None).save(path)
        return path.read_bytes()


WHOLE = bare()
SCHEMA = json.loads((Path(model_file.__file__).parent / "manifest.schema.json").read_text())

REQUIRED = archive.REQUIRED | {archive.GOLDEN_MAP}

Manifest = dict[str, Any]


def members() -> dict[str, bytes]:
    """All but the digests: where these are, each change is found by them alone."""
    with zipfile.ZipFile(BytesIO(WHOLE)) as file:
        return {name: file.read(name) for name in file.namelist() if name != archive.SUMS}


def manifest() -> Manifest:
    return json.loads(members()["manifest.json"])


FLATBUFFER = WHOLE[: manifest()["flatbuffer"]["bytes"]]


def assemble(parts: list[tuple[str, bytes]], flatbuffer: bytes = FLATBUFFER) -> bytes:
    buffer = BytesIO(flatbuffer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a second member of one name is what one test wants
        with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as file:
            for name, data in parts:
                file.writestr(name, data)
    return buffer.getvalue()


def with_manifest(change: Callable[[Manifest], None]) -> bytes:
    changed = manifest()
    change(changed)
    parts = members() | {"manifest.json": json.dumps(changed).encode()}
    return assemble(list(parts.items()))


def read_bytes(tmp_path: Path, data: bytes) -> ModelFile:
    path = tmp_path / "model.tflite"
    path.write_bytes(data)
    return read(path)


def refused(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        read_bytes(tmp_path, data)
    assert str(tmp_path / "model.tflite") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    model = read_bytes(tmp_path, WHOLE)
    again = model.save(tmp_path / "again.tflite")
    assert again.path == tmp_path / "again.tflite"
    assert again.manifest == model.manifest
    assert again.flatbuffer == model.flatbuffer
    np.testing.assert_array_equal(again.golden.maps, model.golden.maps)
    assert read(tmp_path / "again.tflite").manifest == model.manifest


def with_sums(parts: dict[str, bytes], flatbuffer: bytes = FLATBUFFER) -> bytes:
    """A model file of these parts with the digests of those it was saved with."""
    stated = {archive.SUMS: archive.sums(archive.digests(FLATBUFFER, members()))}
    return assemble(list((parts | stated).items()), flatbuffer)


@pytest.mark.parametrize("part", sorted(members()))
def test_no_part_can_be_edited_without_being_found(tmp_path: Path, part: str) -> None:
    parts = members()
    changed = parts[part].replace(b"0.", b"1.", 1) if part.endswith("json") else parts[part][::-1]
    assert changed != parts[part]
    with pytest.raises(ModelError):
        read_bytes(tmp_path, with_sums(parts | {part: changed}))


def test_no_byte_is_hashed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, hashed = tmp_path / "model.tflite", []
    path.write_bytes(with_sums(members()))
    sha256 = hashlib.sha256
    monkeypatch.setattr(hashlib, "sha256", lambda data: hashed.append(data) or sha256(data))
    assert read(path).digest is not None
    assert len(hashed) == len(members()) + 2  # the flatbuffer, and what holds all digests


def test_an_edited_slope_is_found(tmp_path: Path) -> None:
    def steeper(stated: Manifest) -> None:
        stated["calibration"]["slope"][0] *= 10

    changed = manifest()
    steeper(changed)
    parts = members() | {"manifest.json": json.dumps(changed).encode()}
    refused(tmp_path, with_sums(parts), "manifest.json is not what the model was saved with")
    # Where nothing covers the manifest, the golden answers tell when the model is verified.
    model = read_bytes(tmp_path, with_manifest(steeper))
    assert model.digest is None
    with pytest.raises(ModelError, match="scores or decisions are not those"):
        self_test(find_interpreter().open(model))


def test_a_lowered_threshold_is_found(tmp_path: Path) -> None:
    def lower(stated: Manifest) -> None:
        points = stated["overall"]["operating_points"]
        points[stated["overall"]["default_operating_point"]]["threshold"] = 0.0

    with pytest.raises(ModelError, match="scores or decisions are not those"):
        self_test(find_interpreter().open(read_bytes(tmp_path, with_manifest(lower))))


def test_the_digest_is_of_everything(tmp_path: Path) -> None:
    model = read_bytes(tmp_path, WHOLE)
    renamed = model.replace(manifest={**model.manifest, "name": "other"})
    assert model.digest is not None
    assert renamed.digest not in (None, model.digest)
    assert renamed.sha256 == model.sha256


@pytest.mark.parametrize("text", ["\x1b[2J", "\x9b1m", "\u202egnp.exe"])
def test_no_text_of_a_manifest_steers_a_terminal(tmp_path: Path, text: str) -> None:
    def inside(stated: Manifest) -> None:
        stated["operating_points"]["balanced"]["rule"] = text

    refused(tmp_path, with_manifest(inside), "cannot be printed")


def test_parts_are_replaced_in_memory_and_saved_on_request(tmp_path: Path) -> None:
    model = read_bytes(tmp_path, WHOLE)
    renamed = model.replace(manifest={**model.manifest, "name": "other"})
    assert renamed.name == "other"
    assert read(model.path).name == model.name
    renamed.save()
    assert read(model.path).name == "other"


def test_what_does_not_fit_is_neither_made_nor_written(tmp_path: Path) -> None:
    model = read_bytes(tmp_path, WHOLE)
    with pytest.raises(ModelError, match="default operating point"):
        model.replace(manifest={**model.manifest, "default_operating_point": "none"})
    with pytest.raises(ModelError, match="golden logits are not of its 15"):
        model.replace(golden=model.golden._replace(logits=model.golden.logits[:, :3]))
    assert model.path.read_bytes() == WHOLE


def test_writing_the_same_parts_gives_the_same_bytes(tmp_path: Path) -> None:
    model = read_bytes(tmp_path, WHOLE)
    for name in ("a", "b"):
        model.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_ordinary_interpreter_and_an_ordinary_unzip_open_the_file(tmp_path: Path) -> None:
    interpreter = find_interpreter().interpreter(model_content=WHOLE)
    interpreter.allocate_tensors()
    assert len(interpreter.get_output_details()) == 2
    with zipfile.ZipFile(SHIPPED / "cxr-cnn28.tflite") as file:
        assert file.testzip() is None
        assert file.read("labels.txt").decode().split("\n")[:-1] == list(LABELS)


def test_no_golden_vector_is_a_patients_picture() -> None:
    assert "synthetic" in manifest()["golden"]["source"]


@given(cut=st.integers(0, len(WHOLE) - 1))
@settings(max_examples=60, deadline=None)
def test_a_truncated_file_is_refused(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    with pytest.raises(ModelError):
        read_bytes(tmp_path_factory.mktemp("cut"), WHOLE[:cut])


@given(place=st.integers(0, len(WHOLE) - 1), bit=st.integers(0, 7))
@settings(max_examples=200, deadline=None)
def test_a_flipped_bit_is_refused_or_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    """Some bytes of a ZIP (dates, versions) mean nothing; no other may change unnoticed."""
    data = bytearray(WHOLE)
    data[place] ^= 1 << bit
    try:
        model = read_bytes(tmp_path_factory.mktemp("flip"), bytes(data))
    except ModelError:
        return
    assert model.flatbuffer == FLATBUFFER
    assert model.manifest == manifest()
    assert model.golden.inputs.tobytes() == members()["golden/input.bin"]


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_broken_zip_directory_is_refused_or_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Several bytes of the last kilobyte at once: where a ZIP tells what it holds."""
    changed = bytearray(WHOLE)
    for place in data.draw(st.lists(st.integers(len(WHOLE) - 700, len(WHOLE) - 1), max_size=4)):
        changed[place] = data.draw(st.integers(0, 255))
    try:
        model = read_bytes(tmp_path_factory.mktemp("directory"), bytes(changed))
    except ModelError:
        return
    assert model.manifest == manifest()


@given(data=st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_any_bytes_after_a_tflite_head_are_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    with pytest.raises(ModelError):
        read_bytes(tmp_path_factory.mktemp("any"), b"\x1c\0\0\0TFL3" + data)


def test_a_plain_tflite_is_refused_with_the_way_to_add_a_manifest(tmp_path: Path) -> None:
    refused(tmp_path, FLATBUFFER, "without a manifest.*python -m quantize int8")


def test_something_else_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, b"\x89PNG" + WHOLE, "not a TensorFlow Lite model")


@pytest.mark.parametrize("name", ["../escape", "/etc/passwd", "golden/../../x", "extra.txt"])
def test_a_member_that_does_not_belong_is_refused_by_name(tmp_path: Path, name: str) -> None:
    refused(tmp_path, assemble([*members().items(), (name, b"x")]), "does not belong")


def test_a_missing_and_a_doubled_member_are_refused(tmp_path: Path) -> None:
    parts = members()
    for name in REQUIRED:
        rest = [(key, value) for key, value in parts.items() if key != name]
        refused(tmp_path, assemble(rest), name)
    refused(tmp_path, assemble([*parts.items(), ("labels.txt", b"other\n")]), "second member")


@pytest.mark.parametrize(
    "name", sorted({*REQUIRED, archive.compiled_member("some-chip"), archive.CHECK})
)
def test_a_zip_bomb_is_refused_without_unpacking_it(tmp_path: Path, name: str) -> None:
    parts = members() | {name: bytes(40 << 20)}
    data = assemble(list(parts.items()))
    assert len(data) < len(WHOLE) + (1 << 20)
    refused(tmp_path, data, "unpacks to more than")


@pytest.mark.parametrize("name", [archive.GOLDEN_ANSWERS, archive.LABELS, archive.SUMS])
def test_a_text_that_would_take_much_memory_is_refused(tmp_path: Path, name: str) -> None:
    """Two MiB of empty lists are 40 in memory, and sixteen 400."""
    data = assemble(list((members() | {name: b"[],\n" * (1 << 19)}).items()))
    refused(tmp_path, data, f"{name} in its ZIP unpacks to more than")


def test_a_zip_of_members_without_end_is_refused_uncounted(tmp_path: Path) -> None:
    entry = struct.pack("<4s4B4H3L5H2L", archive.ENTRY, *[20, 0] * 2, *[0] * 7, 1, *[0] * 6)
    entries = (entry + b"a") * 100_000
    place = len(WHOLE) + 30
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65_535, 65_535, len(entries), place, 0)
    started = time.process_time()
    refused(tmp_path, WHOLE + bytes(30) + entries + end, "more than 24 members")
    assert time.process_time() - started < 0.5


def test_a_zip_that_lies_about_its_sizes_is_refused(tmp_path: Path) -> None:
    parts = members() | {"labels.txt": bytes(40 << 20)}
    data = assemble(list(parts.items())).replace(struct.pack("<I", 40 << 20), struct.pack("<I", 9))
    with pytest.raises(ModelError):
        read_bytes(tmp_path, data)


def test_a_changed_network_is_refused_by_its_digest(tmp_path: Path) -> None:
    changed = bytearray(FLATBUFFER)
    changed[len(changed) // 2] ^= 1
    data = assemble(list(members().items()), bytes(changed))
    refused(tmp_path, data, "SHA-256.*copy it again")


def test_a_newer_manifest_asks_for_an_update(tmp_path: Path) -> None:
    refused(tmp_path, with_manifest(lambda m: m.update(schema_version=3)), "version 3: update")


COMPILED = b"\x1c\0\0\0TFL3 a stand-in, made by a test"
ACCOUNT = {
    "compiler": "16.0.0-stand-in",
    "operations": {"accelerator": 10, "cpu": 0},
    "memory": {"on_chip": 409600, "on_chip_free": 6815744, "off_chip": 0},
    "operators": [{"operator": "CONV_2D", "count": 10, "status": "Mapped"}],
}
MEMBER = "compiled/some-chip.tflite"


def with_compiled(tmp_path: Path) -> ModelFile:
    model = read_bytes(tmp_path, WHOLE)
    manifest = {**model.manifest, "compiled": {"some-chip": ACCOUNT}}
    both = model.replace(manifest=manifest, compiled={"some-chip": COMPILED})
    return both.save(tmp_path / "both.tflite")


def parts_with_compiled(tmp_path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(with_compiled(tmp_path).path) as file:
        return {name: file.read(name) for name in file.namelist()}


def with_account(parts: dict[str, bytes], **changes: Any) -> dict[str, bytes]:
    """The same members with another account of the compilation; "" takes a part out."""
    changed = json.loads(parts["manifest.json"])
    account = changed["compiled"]["some-chip"] | changes
    kept = {key: value for key, value in account.items() if value != ""}
    changed["compiled"]["some-chip"] = kept
    return parts | {"manifest.json": json.dumps(changed).encode()}


def test_a_file_without_a_compiled_network_is_as_good_as_ever(tmp_path: Path) -> None:
    assert "compiled" not in manifest()
    assert read_bytes(tmp_path, WHOLE).compiled == {}


def test_a_compiled_network_is_read_back_with_the_cpus(tmp_path: Path) -> None:
    both = with_compiled(tmp_path)
    again = read(both.path)
    assert again.compiled == both.compiled == {"some-chip": COMPILED}
    assert again.flatbuffer == FLATBUFFER
    assert again.manifest["compiled"]["some-chip"]["compiled_from"] == again.sha256
    assert again.save(tmp_path / "b.tflite").path.read_bytes() == both.path.read_bytes()
    assert self_test(find_interpreter().open(again)).logits == 0


def test_one_model_can_be_compiled_for_several(tmp_path: Path) -> None:
    first = with_compiled(tmp_path)
    account = {"compiler": "2"}
    manifest = {**first.manifest, "compiled": {**first.manifest["compiled"], "other": account}}
    several = first.replace(manifest=manifest, compiled={**first.compiled, "other": COMPILED})
    assert read(several.save().path).compiled == {"some-chip": COMPILED, "other": COMPILED}


def test_a_damaged_or_exchanged_compiled_network_is_refused(tmp_path: Path) -> None:
    parts = parts_with_compiled(tmp_path)
    for changed in (COMPILED + b"!", COMPILED.replace(b"test", b"hand"), b""):
        data = assemble(list((parts | {MEMBER: changed}).items()))
        refused(tmp_path, data, f"{MEMBER} is not the manifest's.*copy the file again")


def test_one_compiled_from_another_network_is_refused(tmp_path: Path) -> None:
    parts = with_account(parts_with_compiled(tmp_path), compiled_from="0" * 64)
    refused(tmp_path, assemble(list(parts.items())), "compiled from another one: compile it again")
    other = FLATBUFFER[:-1] + bytes([FLATBUFFER[-1] ^ 1])
    with pytest.raises(ModelError, match="compiled from another one: compile it again"):
        with_compiled(tmp_path).replace(flatbuffer=other)


def test_one_without_the_other_is_refused(tmp_path: Path) -> None:
    parts = parts_with_compiled(tmp_path)
    without_member = [(name, data) for name, data in parts.items() if name != MEMBER]
    refused(tmp_path, assemble(without_member), f"ZIP is without {MEMBER}")
    without_words = list((parts | {"manifest.json": members()["manifest.json"]}).items())
    refused(tmp_path, assemble(without_words), "manifest is without it")
    with pytest.raises(ModelError, match=f"without {MEMBER}"):
        read(tmp_path / "both.tflite").replace(compiled={})


def test_one_that_is_no_network_is_refused(tmp_path: Path) -> None:
    both = with_compiled(tmp_path)
    with pytest.raises(ModelError, match=f"{MEMBER} is no TensorFlow Lite model"):
        both.replace(compiled={"some-chip": b"no flatbuffer at all"})


@pytest.mark.parametrize(
    "change",
    [
        {"operations": {"accelerator": 0, "cpu": 10}},
        {"memory": {"on_chip": -1, "on_chip_free": 0, "off_chip": 0}},
        {"compiler": 16},
        {"sha256": "no digest"},
        {"surprise": 1},
        {"compiler": ""},
    ],
)
def test_a_bad_account_of_the_compilation_is_refused(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    parts = with_account(parts_with_compiled(tmp_path), **change)
    refused(tmp_path, assemble(list(parts.items())), "bad manifest")


REFERENCE = {
    "images": "none, made up by a test",
    "shares": [0.0, 1.0],
    "labels": [[0.1, 0.9]] * 15,
    "overall": [0.2, 0.8],
}


def test_reference_distributions_are_read_back(tmp_path: Path) -> None:
    model = read_bytes(tmp_path, WHOLE)
    made = model.replace(manifest={**model.manifest, "reference": REFERENCE})
    assert read(made.save(tmp_path / "x.tflite").path).manifest["reference"] == REFERENCE


def _swap_labels(m: Manifest) -> None:
    m["labels"][0], m["labels"][1] = m["labels"][1], m["labels"][0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.pop("labels"), "labels"),
        (lambda m: m.update(surprise=1), "surprise|additional"),
        (_swap_labels, "labels"),
        (lambda m: m["labels"].pop(), "14 labels"),
        (lambda m: m.update(default_operating_point="none"), "default operating point"),
        (
            lambda m: m["operating_points"]["balanced"]["thresholds"].__setitem__(0, 1.5),
            "bad manifest",
        ),
        (lambda m: m["operating_points"]["balanced"]["thresholds"].pop(), "15 labels"),
        (lambda m: m["calibration"]["slope"].__setitem__(3, float("nan")), "NaN"),
        (lambda m: m["calibration"]["slope"].__setitem__(3, float("inf")), "Infinity"),
        (lambda m: m["calibration"]["slope"].__setitem__(3, 10**400), "more than 64 bits"),
        (lambda m: m["input"].update(mean=[127, 128]), "mean"),
        (lambda m: m["input"].update(std=0), "std"),
        (lambda m: m["input"].update(resize="guess"), "resize"),
        (lambda m: m["input"].update(channels=2), "channels"),
        (lambda m: m["input"].update(height=20), "height"),
        (lambda m: m["input"].update(height=28.0), "height must be integer"),
        (lambda m: m["input"].update(channels=1.0), "channels must be integer"),
        (lambda m: m["golden"].update(count=4.0), "count must be integer"),
        (lambda m: m["flatbuffer"].update(bytes=float(len(FLATBUFFER))), "bytes must be integer"),
        (lambda m: m.update(head="both"), "head"),
        (lambda m: m["labels"][0].update(kind="normal"), "one normal label at most"),
        (lambda m: m["labels"][0].update(name="Edema"), "same name"),
        (lambda m: m["labels"][0].update(name=" Edema"), "no label"),
        (lambda m: m["labels"][0].update(name="a|b"), "no label"),
        (lambda m: m["labels"][0].update(name="a\x1b[31m"), "no label"),
        (lambda m: m["labels"][0].update(code={"scheme": "SCT"}), "code"),
        (lambda m: m["outputs"].pop("map"), "manifest states none"),
        (lambda m: m["outputs"].pop("logits"), "logits"),
        (lambda m: m.update(reference={**REFERENCE, "overall": [0.2, 0.1]}), "ascend"),
        (lambda m: m.update(reference={**REFERENCE, "labels": [[0, 1]]}), "15 labels"),
        (lambda m: m.update(reference={**REFERENCE, "shares": [0, 0.5, 1]}), "as many quantiles"),
        (lambda m: m["input"].update(dtype="float32"), "numbers of float32 have no quantization"),
        (lambda m: m["outputs"]["logits"].update(quantization=None), "int8 need a quantization"),
        (lambda m: m["outputs"]["logits"].update(shape=[1, 14]), "15 labels"),
        (lambda m: m["outputs"]["map"].update(shape=[1, 7, 15]), "15 labels"),
        (lambda m: m["golden"].update(count=5), "golden"),
        (lambda m: m["flatbuffer"].update(bytes=100), "length"),
        (lambda m: m.update(name="../../x"), "name"),
    ],
)
def test_a_bad_manifest_is_refused_by_what_is_bad(
    tmp_path: Path, change: Callable[[Manifest], None], words: str
) -> None:
    refused(tmp_path, with_manifest(change), words)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"[" * 100_000, b'{"a": 1e999}', b"\xff"])
def test_a_manifest_that_is_no_json_object_is_refused(tmp_path: Path, text: bytes) -> None:
    parts = members() | {"manifest.json": text}
    with pytest.raises(ModelError):
        read_bytes(tmp_path, assemble(list(parts.items())))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m["input"].update(height=32, width=32), "input"),
        (lambda m: m["outputs"]["map"].update(shape=[1, 6, 7, 15]), "map"),
        (lambda m: m["outputs"]["logits"].update(tensor="nothing"), "nothing"),
        (lambda m: m["outputs"]["logits"]["quantization"].update(scale=0.5), "quantization"),
        (lambda m: m["outputs"]["map"]["quantization"].update(zero_point=-128), "quantization"),
    ],
)
def test_a_manifest_that_contradicts_the_graph_is_refused(
    tmp_path: Path, change: Callable[[Manifest], None], words: str
) -> None:
    changed = manifest()
    change(changed)
    spec, outputs = changed["input"], changed["outputs"]
    count = changed["golden"]["count"]
    parts = members() | {
        "manifest.json": json.dumps(changed).encode(),
        "golden/input.bin": bytes(count * spec["height"] * spec["width"]),
        "golden/map.bin": bytes(count * int(np.prod(outputs["map"]["shape"]))),
    }
    model = read_bytes(tmp_path, assemble(list(parts.items())))
    with pytest.raises(ModelError, match=words):
        find_interpreter().open(model)


def test_the_self_test_notices_golden_outputs_that_are_off(tmp_path: Path) -> None:
    parts = members()
    logits = np.frombuffer(parts["golden/logits.bin"], np.int8).copy()
    model = read_bytes(tmp_path, WHOLE)
    assert self_test(find_interpreter().open(model)).logits <= model.manifest["golden"]["tolerance"]
    logits[7] = np.int8(100) if logits[7] < 0 else np.int8(-100)
    parts["golden/logits.bin"] = logits.tobytes()
    broken = read_bytes(tmp_path, assemble(list(parts.items())))
    with pytest.raises(ModelError, match="golden vectors are off by"):
        self_test(find_interpreter().open(broken))


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path] * bool(path) + [
        place for key, item in items for place in _places(item, (*path, key))
    ]


def _is_integer(_: Any, value: object) -> bool:
    """Not so 14.0, which JSON Schema takes for one, and by which Python counts nothing."""
    return isinstance(value, int) and not isinstance(value, bool)


REFERENCE_VALIDATOR = jsonschema.validators.extend(
    jsonschema.Draft7Validator,
    type_checker=jsonschema.Draft7Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)(SCHEMA)

BASE = {key: value for key, value in manifest().items() if key not in ("training", "quantization")}
BASE |= {"training": {}, "quantization": {}}


@given(
    place=st.sampled_from(_places(BASE)),
    value=st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-300, 300),
        st.floats(-2, 2),
        st.text(max_size=4),
        st.lists(st.integers(0, 2), max_size=4),
        st.just({}),
    ),
)
@settings(max_examples=200, deadline=None)
def test_the_check_at_load_agrees_with_the_reference_validator(
    place: tuple[Any, ...], value: Any
) -> None:
    changed = copy.deepcopy(BASE)
    parent = changed
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    expected = REFERENCE_VALIDATOR.is_valid(changed)
    try:
        manifest_check.validate(changed)
        accepted = True
    except InvalidError:
        accepted = False
    assert accepted == expected


def test_the_shipped_schema_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
