"""ai-edge-litert: the interpreter the field uses today, with fast int8 kernels everywhere."""

from __future__ import annotations

from edge_app.backends.tflite_interpreter import Interpreter


class Litert(Interpreter):
    """ai-edge-litert 2.2 and newer were seen to crash on processors that they do not know."""

    name = "litert"
    distribution = "ai-edge-litert"
    module = "ai_edge_litert"
    hint = "pip install 'ai-edge-litert<2.2', or tflite-runtime"
