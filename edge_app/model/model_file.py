"""One file a model: a `.tflite` flatbuffer with a ZIP appended that says what it is.

Any interpreter still loads the file, and ``unzip -p model.tflite manifest.json`` shows the
manifest. The ZIP holds ``manifest.json`` (see ``manifest.schema.json``), ``labels.txt`` and golden
vectors: a few input tensors with the outputs that a reference run gave. It may hold
``edgetpu.tflite``: the same network compiled for the Edge TPU, with the same inputs and outputs,
so that one file runs on either; and ``input_check.bin``, the weights of what tells radiographs
from other pictures. The digests find corruption; they are no signature, and do not
tell who made the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.core import strict_json
from edge_app.core.errors import InvalidError, ModelError
from edge_app.core.files import UnreadableError, read_bounded, write_whole
from edge_app.labels import LABELS
from edge_app.model.input_check import KINDS, InputCheck, Weights
from edge_app.model.preprocess import InputSpec

SCHEMA_VERSION: Final = 1
SHIPPED: Final = Path(__file__).parent / "shipped"

MAX_FILE_BYTES: Final = 64 << 20
MAX_MANIFEST_BYTES: Final = 1 << 20
MAX_MEMBER_BYTES: Final = 16 << 20
MAX_CHECK_BYTES: Final = 200_000
MEMBERS: Final = frozenset(
    ("manifest.json", "labels.txt", "golden/input.bin", "golden/logits.bin", "golden/map.bin")
)
EDGETPU_MEMBER: Final = "edgetpu.tflite"
CHECK_MEMBER: Final = "input_check.bin"
OPTIONAL: Final = frozenset((EDGETPU_MEMBER, CHECK_MEMBER))
"""What else the ZIP may hold."""
EDGETPU_OPERATOR: Final = b"edgetpu-custom-op"
TFLITE_IDENTIFIER: Final = b"TFL3"
ZIP_EPOCH: Final = (1980, 1, 1, 0, 0, 0)

BROKEN_ZIP: Final = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, ValueError, UnicodeError),
)
"""What `zipfile` raises on a file that is none, or none that it knows."""

HOW_TO_MAKE_ONE: Final = "a model file is made by: python -m quantize int8 RUN DATA"


class Golden(NamedTuple):
    """K input tensors and what the reference run answered, in the model's own dtypes.

    Attributes:
        inputs: K×height×width×1.
        logits: K×15.
        maps: K×h×w×15.
    """

    inputs: NDArray[Any]
    logits: NDArray[Any]
    maps: NDArray[Any]


class ModelFile(NamedTuple):
    """A model that was read and found whole.

    Attributes:
        flatbuffer: runs on any CPU.
        edgetpu: the same network compiled for the Edge TPU; None where the file holds none.
        check_weights: of the input check; None where the file holds none.
    """

    path: Path
    flatbuffer: bytes
    manifest: dict[str, Any]
    golden: Golden
    edgetpu: bytes | None = None
    check_weights: bytes | None = None

    @property
    def name(self) -> str:
        return str(self.manifest["name"])

    @property
    def sha256(self) -> str:
        """Digest of the flatbuffer: what computes the answers."""
        return str(self.manifest["flatbuffer"]["sha256"])

    @property
    def input_spec(self) -> InputSpec:
        given = self.manifest["input"]
        return InputSpec(given["height"], given["width"])

    @property
    def integer(self) -> bool:
        """Whether input and outputs are int8 rather than float32."""
        return bool(self.manifest["input"]["dtype"] == "int8")

    @property
    def input_check(self) -> InputCheck | None:
        """What judges pictures before the network does; None where the file holds none."""
        stated = self.manifest.get("input_check")
        if stated is None or self.check_weights is None:
            return None
        weights = Weights.from_bytes(self.check_weights, stated["grid"], stated["hidden"])
        limits = np.array(stated["limits"], np.float32)
        return InputCheck(self.input_spec.height, stated["grid"], weights, limits)

    def real(
        self, output: Literal["logits", "map"]
    ) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
        """What an output's stored numbers, (…, 15), mean: logits, float32 of the same shape."""
        stated, spans = self.manifest["outputs"][output]["quantization"], self.manifest.get("spans")
        if spans is None:
            return partial(dequantize, quantization=stated)
        slope, intercept = (np.array(spans[name], np.float32) for name in ("slope", "intercept"))
        return lambda values: dequantize(values, stated) * slope + intercept

    @property
    def logit_steps(self) -> NDArray[np.float64] | None:
        """(15,): what a step of an int8 logit means, label by label; None for float32."""
        stored = self.manifest["outputs"]["logits"]["quantization"]
        if stored is None:
            return None
        slope = self.manifest.get("spans", {"slope": [1.0] * len(LABELS)})["slope"]
        return np.multiply(stored["scale"], slope)


def dequantize(values: NDArray[Any], quantization: dict[str, Any] | None) -> NDArray[np.float32]:
    """Stored integers → real values, scale · (stored - zero point); float32 passes."""
    if quantization is None:
        return values.astype(np.float32, copy=False)
    offset = values.astype(np.float32) - np.float32(quantization["zero_point"])
    return offset * np.float32(quantization["scale"])


def needs_edgetpu(flatbuffer: bytes) -> bool:
    """Whether a flatbuffer was compiled for the Edge TPU, and runs with its delegate alone.

    A search for the operator's name: without parsing it answers for any bytes, and at worst
    takes a network that merely mentions the name for a compiled one.
    """
    return EDGETPU_OPERATOR in flatbuffer


def locate(name: str) -> Path:
    """The file of a shipped model's name, or `name` itself as a path."""
    shipped = SHIPPED / f"{name}.tflite"
    return shipped if os.path.isfile(shipped) else Path(name)


def shipped_models() -> list[Path]:
    """The model files that came with the package, by name."""
    return sorted(SHIPPED.glob("*.tflite"))


def read(path: Path) -> ModelFile:
    """Read a model file and check all of it that can be checked without running it.

    Raises:
        ModelError: one line that names the file and what is wrong with it.
    """
    try:
        data = read_bounded(path, MAX_FILE_BYTES)
    except UnreadableError as error:
        known = ", ".join(p.stem for p in shipped_models())
        raise ModelError(f"{path}: {error}; shipped models are: {known}") from None
    try:
        return _parse(path, data)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def _parse(path: Path, data: bytes) -> ModelFile:
    if data[4:8] != TFLITE_IDENTIFIER:
        raise ModelError("not a TensorFlow Lite model")
    members = _unzip(data)
    manifest = _manifest(members["manifest.json"])
    stated = manifest["flatbuffer"]
    flatbuffer = data[: stated["bytes"]]
    compiled = members.get(EDGETPU_MEMBER)
    _check_edgetpu(manifest, compiled)
    weights = members.get(CHECK_MEMBER)
    _check_input_check(manifest, weights)
    if data[stated["bytes"] :][:4] != b"PK\x03\x04":
        raise ModelError("the flatbuffer's length is not the manifest's: truncated or changed")
    if hashlib.sha256(flatbuffer).hexdigest() != stated["sha256"]:
        raise ModelError("the flatbuffer's SHA-256 is not the manifest's: damaged, copy it again")
    if members["labels.txt"].decode("utf-8", "replace").splitlines() != list(LABELS):
        raise ModelError("labels.txt does not hold this version's labels in their order")
    return ModelFile(path, flatbuffer, manifest, _golden(manifest, members), compiled, weights)


def _check_edgetpu(manifest: dict[str, Any], compiled: bytes | None) -> None:
    """Hold the Edge TPU's flatbuffer to the manifest: both are there, or neither is."""
    stated = manifest.get("edgetpu")
    if stated is None and compiled is None:
        return
    if stated is None or compiled is None:
        without, what = ("manifest", "it") if stated is None else ("ZIP", EDGETPU_MEMBER)
        raise ModelError(f"the Edge TPU's network is not whole: its {without} is without {what}")
    if len(compiled) != stated["bytes"] or hashlib.sha256(compiled).hexdigest() != stated["sha256"]:
        raise ModelError(f"{EDGETPU_MEMBER} is not the manifest's: damaged, copy the file again")
    if compiled[4:8] != TFLITE_IDENTIFIER or not needs_edgetpu(compiled):
        raise ModelError(f"{EDGETPU_MEMBER} is not compiled for the Edge TPU")


def _check_input_check(manifest: dict[str, Any], weights: bytes | None) -> None:
    """Hold the input check's weights to the manifest: both are there, or neither is."""
    stated = manifest.get("input_check")
    if stated is None and weights is None:
        return
    if stated is None or weights is None:
        without, what = ("manifest", "it") if stated is None else ("ZIP", CHECK_MEMBER)
        raise ModelError(f"the input check is not whole: its {without} is without {what}")
    if hashlib.sha256(weights).hexdigest() != stated["sha256"]:
        raise ModelError(f"{CHECK_MEMBER} is not the manifest's: damaged, copy the file again")
    try:
        Weights.from_bytes(weights, stated["grid"], stated["hidden"])
    except ValueError as error:
        raise ModelError(f"{CHECK_MEMBER} {error}") from None


def _unzip(data: bytes) -> dict[str, bytes]:
    """The ZIP's members, each of a known name and a bounded size."""
    try:
        archive = zipfile.ZipFile(BytesIO(data))
    except zipfile.BadZipFile:
        if needs_edgetpu(data):
            raise ModelError(
                "compiled for the Edge TPU and given alone, without a manifest: give the model "
                f"file that it belongs to; {HOW_TO_MAKE_ONE}"
            ) from None
        raise ModelError(
            f"a plain .tflite without a manifest, or truncated; {HOW_TO_MAKE_ONE}"
        ) from None
    except BROKEN_ZIP as error:
        raise ModelError(f"its ZIP is damaged: {error}") from None
    names = archive.namelist()
    strange = sorted(set(names) - MEMBERS - OPTIONAL)
    if strange:
        raise ModelError(f"its ZIP holds a member that does not belong there: {strange[0]!r}")
    if MEMBERS - set(names) or len(names) != len(set(names)):
        absent = sorted(MEMBERS - set(names)) or ["a second member of one name"]
        raise ModelError(f"its ZIP is not a model file's: {absent[0]}; {HOW_TO_MAKE_ONE}")
    return {info.filename: _member(archive, info) for info in archive.infolist()}


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    limits = {"manifest.json": MAX_MANIFEST_BYTES, CHECK_MEMBER: MAX_CHECK_BYTES}
    limit = limits.get(info.filename, MAX_MEMBER_BYTES)
    try:
        with archive.open(info) as member:
            data = member.read(limit + 1)
    except BROKEN_ZIP as error:
        raise ModelError(f"{info.filename} in its ZIP is damaged: {error}") from None
    if len(data) > limit:
        raise ModelError(f"{info.filename} in its ZIP unpacks to more than {limit} bytes")
    return data


def _manifest(data: bytes) -> dict[str, Any]:
    try:
        manifest = strict_json.parse(data)
    except ValueError as error:
        raise ModelError(f"manifest.json is not JSON: {error}") from None
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ModelError(f"its manifest has version {version}: update edge-cxr to use it")
    check_manifest(manifest)
    return dict(manifest)


def check_manifest(manifest: Any) -> None:
    """Hold a manifest to ``manifest.schema.json`` and to what a schema cannot say.

    Raises:
        ModelError: the first thing that is wrong, by its place in the manifest.
    """
    from edge_app.model import manifest_check_generated as manifest_check

    try:
        manifest_check.validate(manifest)
    except InvalidError as error:
        raise ModelError(f"bad manifest: {str(error)[:200]}") from None
    if manifest["labels"] != list(LABELS):
        raise ModelError("bad manifest: its labels are not this version's, in their order")
    if manifest["default_operating_point"] not in manifest["operating_points"]:
        raise ModelError("bad manifest: its default operating point is not among its points")
    dtypes = {manifest["input"]["dtype"], *(o["dtype"] for o in manifest["outputs"].values())}
    if len(dtypes) > 1:
        raise ModelError("bad manifest: input and outputs differ in dtype")
    for part in (manifest["input"], *manifest["outputs"].values()):
        if (part["dtype"] == "int8") != (part["quantization"] is not None):
            raise ModelError("bad manifest: int8 needs a quantization, float32 has none")
    channels = len(LABELS)
    logits, maps = (manifest["outputs"][name]["shape"] for name in ("logits", "map"))
    if logits != [1, channels] or len(maps) != 4 or maps[0] != 1 or maps[3] != channels:
        raise ModelError(f"bad manifest: outputs of shape {logits} and {maps} are not 15 labels'")
    compiled = manifest.get("edgetpu")
    if compiled is not None and compiled["compiled_from"] != manifest["flatbuffer"]["sha256"]:
        raise ModelError("the Edge TPU's network was compiled from another one: compile it again")
    for part in ("calibration", "spans"):
        given = manifest.get(part, {"slope": [], "intercept": []})
        if not np.isfinite([given["slope"], given["intercept"]]).all():
            raise ModelError(f"bad manifest: its {part} is not finite")
    _check_kinds(manifest)


def _check_kinds(manifest: dict[str, Any]) -> None:
    stated = manifest.get("input_check")
    if stated is None:
        return
    if stated["kinds"] != list(KINDS) or len(stated["limits"]) != len(KINDS):
        raise ModelError("bad manifest: its input check does not tell this version's kinds apart")
    if manifest["input"]["height"] != manifest["input"]["width"]:
        raise ModelError("bad manifest: an input check needs a square input")
    if manifest["input"]["height"] % stated["grid"]:
        raise ModelError("bad manifest: its input check's grid does not divide the input's side")


def _golden(manifest: dict[str, Any], members: dict[str, bytes]) -> Golden:
    count = manifest["golden"]["count"]
    dtype = np.dtype(manifest["input"]["dtype"]).newbyteorder("<")
    given = manifest["input"]
    shapes = {
        "input": (given["height"], given["width"], 1),
        "logits": tuple(manifest["outputs"]["logits"]["shape"][1:]),
        "map": tuple(manifest["outputs"]["map"]["shape"][1:]),
    }
    tensors = []
    for name, shape in shapes.items():
        data = members[f"golden/{name}.bin"]
        if len(data) != count * prod(shape) * dtype.itemsize:
            raise ModelError(f"golden/{name}.bin does not hold {count} tensors of shape {shape}")
        tensors.append(np.frombuffer(data, dtype).reshape(count, *shape))
    return Golden(*tensors)


def assemble(
    path: Path,
    flatbuffer: bytes,
    manifest: dict[str, Any],
    golden: Golden,
    edgetpu: bytes | None = None,
    check_weights: bytes | None = None,
) -> tuple[bytes, ModelFile]:
    """The bytes of a model file, and what `read` would make of them; nothing is written.

    Args:
        path: where it is going to be.
        flatbuffer: a `.tflite` without anything appended.
        manifest: as in the schema, without `schema_version`, `flatbuffer` and `labels`, and of
            `edgetpu`, if any, without the digests and the size.
        golden: in the dtypes of the model's input and outputs.
        edgetpu: `flatbuffer` compiled for the Edge TPU, if the manifest tells of it.
        check_weights: see `Weights.to_bytes`, if the manifest tells of an input check.

    Raises:
        ModelError: the parts do not make a model file that `read` would accept.
    """
    digest = hashlib.sha256(flatbuffer).hexdigest()
    manifest = {
        "schema_version": SCHEMA_VERSION,
        **manifest,
        "labels": list(LABELS),
        "flatbuffer": {"bytes": len(flatbuffer), "sha256": digest},
    }
    if edgetpu is not None:
        manifest["edgetpu"] = {
            **manifest.get("edgetpu", {}),
            "bytes": len(edgetpu),
            "sha256": hashlib.sha256(edgetpu).hexdigest(),
            "compiled_from": digest,
        }
    if check_weights is not None:
        manifest["input_check"] = {
            **manifest.get("input_check", {}),
            "sha256": hashlib.sha256(check_weights).hexdigest(),
        }
    check_manifest(manifest)
    little = manifest["input"]["dtype"]
    members = {
        "manifest.json": json.dumps(manifest, indent=1, allow_nan=False).encode(),
        "labels.txt": "".join(f"{label}\n" for label in LABELS).encode(),
        "golden/input.bin": golden.inputs.astype(f"<{np.dtype(little).str[1:]}").tobytes(),
        "golden/logits.bin": golden.logits.astype(f"<{np.dtype(little).str[1:]}").tobytes(),
        "golden/map.bin": golden.maps.astype(f"<{np.dtype(little).str[1:]}").tobytes(),
    }
    if edgetpu is not None:
        members[EDGETPU_MEMBER] = edgetpu
    if check_weights is not None:
        members[CHECK_MEMBER] = check_weights
    buffer = BytesIO(flatbuffer)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            # A fixed date: the same parts give the same bytes.
            archive.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), data, zipfile.ZIP_DEFLATED)
    whole = buffer.getvalue()
    return whole, _parse(path, whole)


def write(
    path: Path,
    flatbuffer: bytes,
    manifest: dict[str, Any],
    golden: Golden,
    edgetpu: bytes | None = None,
    check_weights: bytes | None = None,
) -> ModelFile:
    """`assemble`, and write it: whole or not at all; an existing file is replaced."""
    whole, model = assemble(path, flatbuffer, manifest, golden, edgetpu, check_weights)
    write_whole(path, whole)
    return model
