"""A Keras file or a SavedModel, opened without running any code that it holds."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any, Final

import keras

from edge_app.core import native_stderr
from quantize.errors import ConversionError

ARCHIVE: Final = ".keras"
FLOAT32: Final = "float32"
MAX_CONFIG: Final = 32 << 20

OWN: Final = ("keras", "builtins")
"""Packages of the classes that a file may name; nothing else is deserialised."""

UNUSED: Final = ("compile_config", "build_config")
"""Parts of a configuration that say how it was trained."""

HOW_TO_EXPORT: Final = "write model.export('FOLDER') where it was made, and import that folder"


def open_keras(path: Path) -> keras.Model:
    """The model in a `.keras` or `.h5` file.

    Raises:
        ConversionError: it is damaged, holds code, or classes that are not Keras' own.
    """
    if path.suffix == ARCHIVE:
        _require_plain(path, _config_of_archive(path))
    else:
        _require_plain(path, _config_of_legacy(path))
    try:
        with native_stderr.silenced():
            model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its parts do
        raise ConversionError(
            f"{path}: Keras {keras.__version__} cannot read it: {_said(error)}: {HOW_TO_EXPORT}"
        ) from None
    if not isinstance(model, keras.Model):
        raise ConversionError(f"{path}: holds a {type(model).__name__} and no model")
    for layer in model._flatten_layers():
        if layer.compute_dtype != FLOAT32:  # half of the digits would hide what the import does
            layer.dtype_policy = FLOAT32
    return model


def _config_of_archive(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive, archive.open("config.json") as member:
            return json.loads(member.read(MAX_CONFIG))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        reason = (
            error.strerror.lower()
            if isinstance(error, OSError) and error.strerror
            else ("is no Keras file, or a damaged one")
        )
        raise ConversionError(f"{path}: {reason}: save it again by model.save(…)") from None


def _config_of_legacy(path: Path) -> Any:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            stated = file.attrs.get("model_config")
            if stated is None:
                raise ConversionError(
                    f"{path}: holds weights and no network: load them into the model that they "
                    "are of, and save that by model.save('NAME.keras')"
                )
            return json.loads(stated)
    except (OSError, ValueError):
        raise ConversionError(f"{path}: is no Keras file, or a damaged one") from None


def _require_plain(path: Path, config: Any) -> None:
    """Refuse code and other classes by the names of their layers, before any layer is made."""
    for part, name in _objects(config, ""):
        kind = part.get("class_name")
        module = part.get("module")
        if kind == "Lambda":
            raise ConversionError(
                f"{path}: layer {name!r} (Lambda) holds Python code, which is not run: write it "
                "as Keras' own layers, or " + HOW_TO_EXPORT
            )
        if kind in ("TFOpLambda", "SlicingOpLambda"):
            raise ConversionError(
                f"{path}: layer {name!r} ({kind}) is an operation of Keras 2 that Keras 3 cannot "
                f"read: {HOW_TO_EXPORT}"
            )
        if str(module or OWN[0]).partition(".")[0] not in OWN or ">" in str(
            part.get("registered_name")
        ):
            raise ConversionError(
                f"{path}: {name or kind!r} is of the class {kind!r}, whose code is not in the "
                f"file: {HOW_TO_EXPORT}"
            )


def _objects(part: Any, name: str) -> Any:
    """Every object of a configuration, with the name of the layer that it is or belongs to."""
    if isinstance(part, dict):
        if isinstance(part.get("class_name"), str):
            inner = part.get("config")
            name = str(inner.get("name", name)) if isinstance(inner, dict) else name
            yield part, str(part.get("name") or name)
        for key, value in part.items():
            if key not in UNUSED:
                yield from _objects(value, name)
    elif isinstance(part, list):
        for value in part:
            yield from _objects(value, name)


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:160].rstrip(".: ") or type(error).__name__
