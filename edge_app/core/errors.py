"""All errors of a device, by who has to act.

Each message is one line that names the thing at fault and says what to do next. `exit_code` is the
exit code of a process that ends with the error.
"""

from typing import ClassVar

EXIT_DONE = 0
EXIT_USAGE = 2
EXIT_INPUT = 3
EXIT_MODEL = 4
EXIT_GATE = 5
EXIT_INTERRUPTED = 130


class EdgeCxrError(Exception):
    """Base of every error this package raises on purpose."""

    exit_code: ClassVar[int] = EXIT_MODEL
    kind: ClassVar[str] = "error"


class UsageError(EdgeCxrError):
    """The command line asks for something that cannot be."""

    exit_code = EXIT_USAGE
    kind = "usage"


class ImageError(EdgeCxrError):
    """This image cannot be read, or is refused; others may be fine."""

    exit_code = EXIT_INPUT
    kind = "image"


class ImageTooLargeError(ImageError):
    """This image has more pixels or bytes than allowed."""


class MachineError(ImageError):
    """The machine lacks memory, descriptors or processes for this image, which may be fine."""

    exit_code = EXIT_MODEL
    kind = "machine"


class DatasetError(EdgeCxrError):
    """The labelled data set as a whole cannot be used."""

    exit_code = EXIT_INPUT
    kind = "dataset"


class ModelError(EdgeCxrError):
    """The model file cannot be trusted or used."""

    kind = "model"


class SignatureError(ModelError):
    """A file was changed after it was signed, or lacks a required signature."""

    kind = "signature"


class RuntimeUnavailableError(EdgeCxrError):
    """No backend works here, or the chosen one does not."""

    kind = "runtime"


class MissingExtraError(EdgeCxrError):
    """A feature needs a package that is not installed."""

    kind = "extra"


class BackendError(RuntimeUnavailableError):
    """A device, or the library that drives it, does not open with this model.

    Attributes:
        reason: its own message, which may be empty.
    """

    def __init__(self, backend: str, reason: str) -> None:
        super().__init__(f"{backend}: {reason}")
        self.reason = reason


class ReportError(EdgeCxrError):
    """A report or a benchmark's result cannot be read, or cannot be compared."""

    exit_code = EXIT_INPUT
    kind = "report"


class InvalidError(Exception):
    """An object violates its schema; the reader of the file adds the file's name."""


class LabelError(EdgeCxrError, KeyError):
    """An answer has no such label."""

    exit_code = EXIT_USAGE
    kind = "label"

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError's own would be quoted


class OutputError(EdgeCxrError):
    """Results were computed but could not be written."""

    kind = "output"


def not_loaded(error: ImportError) -> str:
    """A short message for a package that does not load: numpy's own fills a page."""
    reason = " ".join(str(error).strip().splitlines()[-1:]) or type(error).__name__
    return (
        f"a package cannot be loaded ({reason[:200]}): out of memory, or a damaged installation: "
        "close other programs, or install again"
    )
