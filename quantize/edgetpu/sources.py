"""The sources of all statements about the Edge TPU's compiler.

The compiler is closed source. Statements are of three kinds: from Coral's documentation, from a
published log or error message of the compiler, or guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Basis:
    """The basis of a statement.

    Attributes:
        known: "documented", "seen" or "guessed".
        source: an address; for a guess, what it is concluded from.
    """

    known: str
    source: str


DOCUMENTATION: Final = "https://coral.ai/docs/edgetpu/models-intro/"
"""Model requirements and supported operations with their limitations, for runtime 14, the last."""

DOCUMENTED: Final = Basis("documented", DOCUMENTATION)


def issue(number: int) -> str:
    """An issue of the compiler's users."""
    return f"https://github.com/google-coral/edgetpu/issues/{number}"


def seen(source: str) -> Basis:
    return Basis("seen", source)


def guessed(source: str) -> Basis:
    return Basis("guessed", source)


# Logs of the compiler, by version; 16.0.384591198 is the last.
EFFICIENTDET: Final = issue(426)  # 15.0
MNIST: Final = (
    "https://github.com/system-software-lab/nrf20/blob/HEAD/convert/quantize/README.md"  # 15.0
)
YOLOV9: Final = "https://github.com/dbro/frigate-detector-edgetpu-yolo9"  # of 2025, in its README
YOLOV7: Final = "https://github.com/WongKinYiu/yolov7/pull/1672"  # 16.0
REIDENTIFICATION: Final = issue(461)  # 16.0
DENSE: Final = (
    "https://github.com/ricardodeazambuja/LibrEdgeTPU/blob/HEAD/docs/HARDWARE_ANALYSIS.md"  # 16.0
)
LSTM_PAIR: Final = (  # keras_lstm_mnist_ptq.tflite and its compiled version
    "https://github.com/google-coral/test_data/tree/104342d2d3480b3e66203073dac24f4e2dbb4c41"
)
