"""tflite-runtime: the older interpreter, the only wheel for 32-bit Raspberry Pi OS.

Its x86-64 wheel computes int8 without XNNPACK, ten times slower. It has no wheels for Python 3.12
and newer, and none for numpy 2.
"""

from __future__ import annotations

from edge_app.backends.tflite_interpreter import Interpreter


class TfliteRuntime(Interpreter):
    """tflite-runtime; explains its obscure error with a numpy that it was not built for."""

    name = "tflite"
    distribution = "tflite-runtime"
    module = "tflite_runtime"
    hint = "pip install ai-edge-litert"

    def misfit(self, reason: str) -> str | None:
        if "numpy" not in reason and "_ARRAY_API" not in reason:
            return None
        import numpy as np

        return (
            f"{self.label} was built for numpy 1, and numpy {np.__version__} is installed: "
            "pip install 'numpy<2'"
        )
