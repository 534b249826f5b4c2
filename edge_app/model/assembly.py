"""The parts of a model → one model file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypedDict

import numpy as np

from edge_app.core.files import write_whole
from edge_app.model import archive
from edge_app.model import manifest as manifests
from edge_app.model.model_file import Golden, ModelFile, parse

NOTHING: Final[Mapping[str, bytes]] = MappingProxyType({})


class Parts(TypedDict, total=False):
    """What a model can be given anew; see `assemble`."""

    path: Path
    flatbuffer: bytes
    manifest: Mapping[str, Any]
    golden: Golden
    compiled: Mapping[str, bytes]
    check_weights: bytes | None


def assemble(
    path: Path,
    flatbuffer: bytes,
    manifest: Mapping[str, Any],
    golden: Golden,
    compiled: Mapping[str, bytes] = NOTHING,
    check_weights: bytes | None = None,
) -> ModelFile:
    """A model of these parts, as `read` would find it; nothing is written.

    Args:
        path: where it is going to be.
        flatbuffer: a `.tflite` without anything appended.
        manifest: as in the schema. The version, all sizes and digests, and what a network was
            compiled from where that is not stated, are filled in.
        golden: in the dtypes of the model's input and outputs.
        compiled: `flatbuffer` compiled for accelerators, by backend, as far as the manifest tells.
        check_weights: see `Weights.to_bytes`, if the manifest tells of an input check.

    Raises:
        ModelError: the parts do not make a model file that `read` would accept.
    """
    stated = _restated(flatbuffer, manifest, compiled, check_weights)
    manifests.check(stated)
    return parse(path, _whole(flatbuffer, stated, golden, compiled, check_weights))


def save(model: ModelFile, path: Path) -> ModelFile:
    """Write a model file; see `ModelFile.save`."""
    manifests.check(model.manifest)  # of version 1, it was held to that version's schema
    parts = (model.flatbuffer, model.manifest, model.golden, model.compiled, model.check_weights)
    write_whole(path, _whole(*parts))
    return model._replace(path=path)


def _restated(
    flatbuffer: bytes,
    manifest: Mapping[str, Any],
    compiled: Mapping[str, bytes],
    check_weights: bytes | None,
) -> dict[str, Any]:
    """The manifest with version, sizes and digests."""
    digest = hashlib.sha256(flatbuffer).hexdigest()
    stated = {
        "schema_version": manifests.SCHEMA_VERSION,
        **manifest,
        "flatbuffer": {"bytes": len(flatbuffer), "sha256": digest},
    }
    if compiled:
        stated["compiled"] = dict(stated.get("compiled", {}))
        for backend, data in compiled.items():
            stated["compiled"][backend] = {
                "compiled_from": digest,
                **stated["compiled"].get(backend, {}),
                "bytes": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
    if check_weights is not None:
        stated["input_check"] = {
            **stated.get("input_check", {}),
            "sha256": hashlib.sha256(check_weights).hexdigest(),
        }
    return stated


def _whole(
    flatbuffer: bytes,
    manifest: Mapping[str, Any],
    golden: Golden,
    compiled: Mapping[str, bytes],
    check_weights: bytes | None,
) -> bytes:
    """The bytes of a model file."""
    dtype = np.dtype(manifest["input"]["dtype"]).newbyteorder("<")
    names = (label["name"] for label in manifest["labels"])
    members = {
        archive.MANIFEST: json.dumps(manifest, indent=1, allow_nan=False).encode(),
        archive.LABELS: "".join(f"{name}\n" for name in names).encode(),
        archive.GOLDEN_INPUT: golden.inputs.astype(dtype).tobytes(),
        archive.GOLDEN_LOGITS: golden.logits.astype(dtype).tobytes(),
    }
    if golden.maps is not None:
        members[archive.GOLDEN_MAP] = golden.maps.astype(dtype).tobytes()
    members |= {archive.compiled_member(name): data for name, data in compiled.items()}
    if check_weights is not None:
        members[archive.CHECK] = check_weights
    return archive.append(flatbuffer, members)
