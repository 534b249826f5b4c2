"""ai-edge-litert: the interpreter the field uses today, with fast int8 kernels everywhere."""

from __future__ import annotations

from edge_app.backends.tflite_interpreter import Interpreter


class Litert(Interpreter):
    """From 2.2 on, its detection of the processor was seen to fault on one it does not know."""

    name = "litert"
    distribution = "ai-edge-litert"
    module = "ai_edge_litert"
    hint = "pip install 'ai-edge-litert<2.2', or tflite-runtime"
