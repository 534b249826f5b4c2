"""The model file: a `.tflite` flatbuffer with an appended ZIP that describes it.

Any interpreter still loads the file, and ``unzip -p model.tflite manifest.json`` shows the
manifest. The ZIP holds ``manifest.json`` (see ``manifest.schema.json``), ``labels.txt`` and golden
vectors: a few input tensors with the outputs of a reference run. It may hold
``compiled/BACKEND.tflite``, the same network compiled for an accelerator, with the same inputs and
outputs, so that one file runs on either; and ``input_check.bin``, the weights of the check that
recognises radiographs. ``golden/answers.json`` holds the answers for the golden vectors, and
``SHA256SUMS`` covers all parts. The digests find corruption; who made the file is shown by a
signature in a file next to it, see `edge_app.core.trust`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from edge_app.core.errors import ModelError
from edge_app.core.files import UnreadableError, read_bounded, write_whole
from edge_app.model import archive, installed
from edge_app.model import manifest as manifests
from edge_app.model.golden import Golden, read_answers
from edge_app.model.input_check import InputCheck, Weights
from edge_app.model.labels import Labels
from edge_app.model.outputs import real
from edge_app.model.preprocess import InputSpec, ToTensor

if TYPE_CHECKING:
    from typing import TypedDict

    from numpy.typing import NDArray
    from typing_extensions import Unpack

    from edge_app.core.trust import Origin
    from edge_app.model.manifest_types import Head, Input, Manifest, Output

    class Parts(TypedDict, total=False):
        """The parts of a model that can be replaced; see `assemble`."""

        path: Path
        flatbuffer: bytes
        manifest: Mapping[str, Any]
        golden: Golden
        compiled: Mapping[str, bytes]
        check_weights: bytes | None


SHIPPED: Final = Path(__file__).parent / "shipped"
MAX_FILE_BYTES: Final = 64 << 20
TFLITE_IDENTIFIER: Final = b"TFL3"
SCORING: Final = ("head", "input", "outputs", "spans", "pooling")
"""Parts of a manifest that determine the logits, together with the network."""

NOTHING: Final[Mapping[str, bytes]] = MappingProxyType({})


class ModelFile(NamedTuple):
    """A model that was read and validated.

    Attributes:
        path: of its file, or where it will be saved.
        flatbuffer: the network for any CPU.
        manifest: upgraded to version 2.
        golden: inputs and outputs for `self_test`.
        compiled: the same network compiled for accelerators, by backend.
        check_weights: of the input check; None if the file holds none.
        digest: SHA-256 over the digests of all parts, including the manifest; None in files of
            earlier versions, which have no digest of the manifest.
        origin: who made it; None if it came with this package, or was not read from a file.
    """

    path: Path
    flatbuffer: bytes
    manifest: Manifest
    golden: Golden
    compiled: Mapping[str, bytes] = MappingProxyType({})
    check_weights: bytes | None = None
    digest: str | None = None
    origin: Origin | None = None

    @property
    def name(self) -> str:
        return self.manifest["name"]

    @property
    def sha256(self) -> str:
        """SHA-256 of the flatbuffer."""
        return self.manifest["flatbuffer"]["sha256"]

    @property
    def scoring(self) -> str:
        """SHA-256 of everything that determines the logits of a picture.

        The same network scores differently with another mean of its input, or with other spans of
        its outputs.
        """
        stated = {"network": self.sha256, **{key: self.manifest.get(key) for key in SCORING}}
        return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()

    @property
    def imported(self) -> bool:
        """Whether the network was trained elsewhere, and its input described at its import."""
        return "imported_from" in self.manifest.get("training", {})

    @property
    def labels(self) -> Labels:
        """The labels of its L outputs."""
        return Labels.of(self.manifest["labels"])

    @property
    def head(self) -> Head:
        """Whether the labels are independent, or exactly one of them applies."""
        return self.manifest["head"]

    @property
    def has_map(self) -> bool:
        """Whether it has a map of its findings."""
        return "map" in self.manifest["outputs"]

    @property
    def input_spec(self) -> InputSpec:
        return InputSpec.of(self.manifest["input"])

    @property
    def to_tensor(self) -> ToTensor:
        """The function from a picture to its input tensor."""
        image = self.manifest["input"]
        return ToTensor(self.input_spec, image["quantization"], image["dtype"])

    @property
    def integer(self) -> bool:
        """Whether its logits are stored as integers rather than float32."""
        return self.manifest["outputs"]["logits"]["dtype"] != "float32"

    @property
    def in_float32(self) -> tuple[int, int] | None:
        """How many operators of an integer network stay in float32, and of how many.

        None if none does, or the file does not say.
        """
        stated = self._float_operators
        return stated if stated and stated[0] else None

    @property
    def _float_operators(self) -> tuple[int, int] | None:
        """The same, also if none does; None if the file does not say."""
        kept = self.manifest["quantization"].get("in_float32")
        if not isinstance(kept, dict):
            return None
        operators, count = kept.get("operators"), kept.get("of")
        if not isinstance(operators, list) or not isinstance(count, int):
            return None
        return len(operators), count

    @property
    def precision(self) -> str:
        """The dtype of its arithmetic in words: integers, float32, or both.

        That of its input, unless the file states how many operators are in float32: a network with
        float32 input and outputs may be int8 inside.
        """
        dtype, stated = self.manifest["input"]["dtype"], self._float_operators
        if stated is None:
            return dtype
        integer, (kept, count) = "int8" if dtype == "float32" else dtype, stated
        if kept and kept == count:
            return "float32"
        return f"{integer} and float32" if kept else integer

    @property
    def input_check(self) -> InputCheck | None:
        """The input check; None if the file holds none."""
        stated = self.manifest.get("input_check")
        if stated is None or self.check_weights is None:
            return None
        weights = Weights.from_bytes(self.check_weights, stated)
        return InputCheck(self.input_spec.height, stated, weights)

    def real(
        self, output: Literal["logits", "map"]
    ) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
        """A function from an output's stored numbers, (…, L), to logits, float32 of the same shape.

        Raises:
            KeyError: it has no such output.
        """
        return real(self.manifest, output)

    @property
    def logit_steps(self) -> NDArray[np.float64] | None:
        """(L,): the size of a step of each label's integer logits.

        None for float32, and if steps differ in size because they are of probabilities, or because
        logits are pooled from a map.
        """
        stored = self.manifest["outputs"]["logits"]["quantization"]
        uneven = "activation" in self.manifest["outputs"]["logits"] or "pooling" in self.manifest
        if stored is None or uneven:
            return None
        spans = self.manifest.get("spans")
        slope = spans["slope"] if spans else [1.0] * len(self.labels)
        return np.multiply(stored["scale"], slope)

    def replace(self, **parts: Unpack[Parts]) -> ModelFile:
        """A new model with some parts replaced, checked as `read` checks; nothing is written.

        Sizes and digests are computed again. Networks compiled from another flatbuffer and golden
        vectors of another shape are refused.

        Args:
            parts: attributes of this class.

        Raises:
            ModelError: the parts do not make a model file.
        """
        renewed = {"digest", "origin"}
        whole = {key: value for key, value in self._asdict().items() if key not in renewed}
        return assemble(**{**whole, **parts})

    def save(self, path: Path | None = None) -> ModelFile:
        """Write the model file in version 2, whole or not at all, replacing an existing one.

        Args:
            path: default: its own.

        Returns:
            The model at that path.

        Raises:
            ModelError: its manifest is invalid.
            OSError: it cannot be written.
        """
        from edge_app.model import assembly

        manifests.check(self.manifest)
        place = path or self.path
        write_whole(
            place,
            assembly.whole(
                self.flatbuffer, self.manifest, self.golden, self.compiled, self.check_weights
            ),
        )
        return self._replace(path=place, origin=None)


def locate(name: str) -> Path:
    """The file of an installed or a shipped model of this name, otherwise `name` as a path."""
    place = installed.find(name)
    if place is not None:
        return place
    shipped = SHIPPED / f"{name}.tflite"
    return shipped if os.path.isfile(shipped) else Path(name)


def shipped_models() -> list[Path]:
    """The model files of the package, sorted by name."""
    return sorted(SHIPPED.glob("*.tflite"))


def known_models() -> list[Path]:
    """The files of all installed and shipped models, one for each name."""
    names = {path.stem for path in shipped_models()} | set(installed.names())
    return [locate(name) for name in sorted(names)]


def assemble(
    path: Path,
    flatbuffer: bytes,
    manifest: Mapping[str, Any],
    golden: Golden,
    compiled: Mapping[str, bytes] = NOTHING,
    check_weights: bytes | None = None,
) -> ModelFile:
    """A model made from its parts and validated like one from a file; nothing is written.

    Args:
        path: where it will be saved.
        flatbuffer: a `.tflite` without anything appended.
        manifest: as in the schema. The version, all sizes and digests, and a missing
            `compiled_from` are filled in.
        golden: in the dtypes of the model's input and outputs.
        compiled: `flatbuffer` compiled for accelerators, by backend, with facts in the manifest.
        check_weights: see `Weights.to_bytes`; with an input check in the manifest.

    Raises:
        ModelError: the parts do not make a model file that `read` would accept.
    """
    from edge_app.model import assembly

    stated = assembly.restated(flatbuffer, manifest, compiled, check_weights)
    manifests.check(stated)
    return parse(path, assembly.whole(flatbuffer, stated, golden, compiled, check_weights))


def read(path: Path) -> ModelFile:
    """Read a model file and validate all that can be validated without running it.

    A file that did not come with this package must be signed if this machine requires signatures.

    Raises:
        ModelError: one line that names the file and what is wrong with it.
    """
    try:
        data = read_bounded(path, MAX_FILE_BYTES)
    except UnreadableError as error:
        known = ", ".join(p.stem for p in shipped_models())
        raise ModelError(f"{path}: {error}; shipped models are: {known}") from None
    try:
        model = parse(path, data)
        return model if path.parent == SHIPPED else model._replace(origin=_origin(model, data))
    except ModelError as error:
        raise type(error)(f"{path}: {error}") from None


def _origin(model: ModelFile, data: bytes) -> Origin:
    """Who made a model file, as far as this machine can tell; raises what `read` does."""
    from edge_app.core import trust

    keys = trust.pinned()
    found = trust.origin(data, trust.read_signature(model.path), "model", model.name, keys)
    trust.require(found, keys)
    return found


def parse(path: Path, data: bytes) -> ModelFile:
    """The model in the bytes of a model file.

    Raises:
        ModelError: as `read`, without the path.
    """
    if data[4:8] != TFLITE_IDENTIFIER:
        raise ModelError("not a TensorFlow Lite model")
    members = archive.unzip(data, manifests.MEMBER_OF_VERSION_1)
    manifest = manifests.parse(members[archive.MANIFEST])
    stated = manifest["flatbuffer"]
    size = stated["bytes"]
    flatbuffer = data[:size]
    digests = archive.digests(flatbuffer, members)  # only once: it is slow on a small board
    compiled = _compiled(manifest, members, digests)
    weights = members.get(archive.CHECK)
    _check_input_check(manifest, weights, digests)
    if data[size : size + 4] != b"PK\x03\x04":
        raise ModelError("the flatbuffer's length is not the manifest's: truncated or changed")
    if digests[archive.FLATBUFFER] != stated["sha256"]:
        raise ModelError("the flatbuffer's SHA-256 is not the manifest's: damaged, copy it again")
    archive.check_sums(members, digests)
    names = members[archive.LABELS].decode("utf-8", "replace").splitlines()
    if names != [label["name"] for label in manifest["labels"]]:
        raise ModelError("labels.txt does not hold the manifest's labels in their order")
    sums = members.get(archive.SUMS)
    digest = None if sums is None else hashlib.sha256(sums).hexdigest()
    golden = _golden(manifest, members)
    return ModelFile(path, flatbuffer, manifest, golden, compiled, weights, digest)


def _compiled(
    manifest: Manifest, members: Mapping[str, bytes], digests: Mapping[str, str]
) -> dict[str, bytes]:
    """The compiled networks by backend; each must be both in the manifest and in the ZIP."""
    old = manifests.MEMBER_OF_VERSION_1
    found = {manifests.COMPILED_OF_VERSION_1: old} if old in members else {}
    found |= {backend: name for name in members if (backend := archive.backend_of(name))}
    stated = manifest.get("compiled", {})
    for backend in sorted({*stated, *found}):
        member = archive.compiled_member(backend)
        if backend not in stated:
            raise _half(f"the network for {backend}", "manifest", "it")
        if backend not in found:
            raise _half(f"the network for {backend}", "ZIP", member)
        data, digest, facts = members[found[backend]], digests[found[backend]], stated[backend]
        if len(data) != facts["bytes"] or digest != facts["sha256"]:
            raise ModelError(f"{member} is not the manifest's: damaged, copy the file again")
        if data[4:8] != TFLITE_IDENTIFIER:
            raise ModelError(f"{member} is no TensorFlow Lite model")
    return {backend: members[name] for backend, name in found.items()}


def _check_input_check(
    manifest: Manifest, weights: bytes | None, digests: Mapping[str, str]
) -> None:
    """Hold the input check's weights to the manifest: both are there, or neither is."""
    stated = manifest.get("input_check")
    if stated is None and weights is None:
        return
    if stated is None:
        raise _half("the input check", "manifest", "it")
    if weights is None:
        raise _half("the input check", "ZIP", archive.CHECK)
    if digests[archive.CHECK] != stated["sha256"]:
        raise ModelError(f"{archive.CHECK} is not the manifest's: damaged, copy the file again")
    try:
        Weights.from_bytes(weights, stated)
    except ValueError as error:
        raise ModelError(f"{archive.CHECK} {error}") from None


def _half(what: str, without: str, member: str) -> ModelError:
    return ModelError(f"{what} is not whole: its {without} is without {member}")


def _golden(manifest: Manifest, members: dict[str, bytes]) -> Golden:
    count, image, outputs = manifest["golden"]["count"], manifest["input"], manifest["outputs"]

    def tensors(member: str, part: Input | Output, shape: list[int]) -> NDArray[Any]:
        if member not in members:
            raise archive.not_whole(member)
        data, dtype = members[member], np.dtype(part["dtype"]).newbyteorder("<")
        if len(data) != count * prod(shape) * dtype.itemsize:
            raise ModelError(f"{member} does not hold {count} tensors of shape {tuple(shape)}")
        return np.frombuffer(data, dtype).reshape(count, *shape)

    seen = [image["height"], image["width"], image["channels"]]
    inputs = tensors(archive.GOLDEN_INPUT, image, seen)
    logits = tensors(archive.GOLDEN_LOGITS, outputs["logits"], outputs["logits"]["shape"][1:])
    stored = members.get(archive.GOLDEN_ANSWERS)
    answers = None if stored is None else read_answers(stored)
    if "map" in outputs:
        maps = tensors(archive.GOLDEN_MAP, outputs["map"], outputs["map"]["shape"][1:])
        return Golden(inputs, logits, maps, answers)
    if archive.GOLDEN_MAP in members:
        raise ModelError(f"{archive.GOLDEN_MAP} is of a map, and its manifest states none")
    return Golden(inputs, logits, None, answers)
