"""ai-edge-litert: the interpreter the field uses today, with fast int8 kernels everywhere."""

from edge_app.backends.runtime import Runtime


class Litert(Runtime):
    """From 2.2 on, its detection of the processor was seen to fault on one it does not know."""

    name = "litert"
    package = "ai-edge-litert"
    module = "ai_edge_litert"
    remedy = "pip install 'ai-edge-litert<2.2', or tflite-runtime"
