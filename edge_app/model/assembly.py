"""Putting the parts of a model together: its manifest, and the bytes of the model file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from edge_app.model import archive
from edge_app.model import manifest as manifests
from edge_app.model.golden import Golden, answers

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Manifest


def restated(
    flatbuffer: bytes,
    manifest: Mapping[str, Any],
    compiled: Mapping[str, bytes],
    check_weights: bytes | None,
) -> dict[str, Any]:
    """A manifest with the version, sizes and digests of the parts."""
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


def whole(
    flatbuffer: bytes,
    manifest: Mapping[str, Any],
    golden: Golden,
    compiled: Mapping[str, bytes],
    check_weights: bytes | None,
) -> bytes:
    """The bytes of a model file."""
    outputs = manifest["outputs"]
    names = (label["name"] for label in manifest["labels"])
    members = {
        archive.MANIFEST: json.dumps(manifest, indent=1, allow_nan=False).encode(),
        archive.LABELS: "".join(f"{name}\n" for name in names).encode(),
        archive.GOLDEN_INPUT: _stored(golden.inputs, manifest["input"]),
        archive.GOLDEN_LOGITS: _stored(golden.logits, outputs["logits"]),
    }
    if golden.maps is not None:
        members[archive.GOLDEN_MAP] = _stored(golden.maps, outputs["map"])
    members |= {archive.compiled_member(name): data for name, data in compiled.items()}
    if check_weights is not None:
        members[archive.CHECK] = check_weights
    stored = [answer.as_dict() for answer in answers(cast("Manifest", manifest), golden)]
    members[archive.GOLDEN_ANSWERS] = json.dumps(stored, indent=1).encode()
    members[archive.SUMS] = archive.sums(archive.digests(flatbuffer, members))
    return archive.append(flatbuffer, members)


def _stored(tensors: NDArray[Any], part: Mapping[str, Any]) -> bytes:
    """Golden tensors in the dtype of an input or output, little-endian."""
    return tensors.astype(np.dtype(part["dtype"]).newbyteorder("<")).tobytes()
