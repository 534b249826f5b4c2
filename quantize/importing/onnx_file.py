"""An ONNX file → a SavedModel by onnx2tf; ONNX Runtime answers for the original."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_app.core import native_stderr
from edge_app.core.errors import MissingExtraError
from quantize.errors import ConversionError

if TYPE_CHECKING:
    from quantize.importing.network import Original

PACKAGES = ("onnx2tf", "onnxruntime")
INSTALL = "pip install -e '.[workstation,onnx]' in an environment of its own"


def as_saved_model(path: Path) -> Path:
    """A temporary folder with the network in channels last; it is removed with the process.

    Raises:
        MissingExtraError: a package is not installed.
        ConversionError: onnx2tf cannot convert it.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"{path}: needs {' and '.join(missing)}: {INSTALL}")
    import onnx2tf

    folder = Path(tempfile.mkdtemp(prefix="edge-cxr-onnx-"))
    try:
        with native_stderr.silenced():
            onnx2tf.convert(
                input_onnx_file_path=str(path),
                output_folder_path=str(folder),
                output_signaturedefs=True,
                non_verbose=True,
            )
    except (Exception, SystemExit) as error:  # it exits on an unknown operation
        reason = " ".join(str(error).split())[:160]
        raise ConversionError(
            f"{path}: onnx2tf cannot convert it: {reason}: try onnx2tf's own options, and import "
            "the SavedModel that it writes"
        ) from None
    return folder


def original(path: Path, table: NDArray[np.float32], output: str | None) -> Original:
    """What ONNX Runtime answers.

    Args:
        path: the file.
        table: 256×channels, what each gray level becomes.
        output: the name of the output with the scores; the only one if None.
    """
    import onnxruntime

    session: Any = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    image = session.get_inputs()[0].name

    def answers(pictures: NDArray[np.uint8], gain: float) -> NDArray[np.float32]:
        fed = (table * gain).astype(np.float32)[pictures].transpose(0, 3, 1, 2)
        requested = None if output is None else [output]
        found = [session.run(requested, {image: fed[n : n + 1]})[0] for n in range(len(fed))]
        return np.concatenate(found)

    return answers
