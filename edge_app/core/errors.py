"""What can go wrong on a device, told apart by who has to act.

Each message is one line that names the thing at fault and says what to do next. `exit_code` is
what a process that ends with this error returns.
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
    """This image has more pixels, or bytes, than is allowed."""


class MachineError(ImageError):
    """The machine lacks memory, descriptors or processes for this image now: it may be fine."""

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
    """A file is not what was signed, or is not signed where it has to be."""

    kind = "signature"


class RuntimeUnavailableError(EdgeCxrError):
    """Nothing that could compute works here, or what was asked for does not."""

    kind = "runtime"


class MissingExtraError(EdgeCxrError):
    """What is asked for needs a package that is not installed."""

    kind = "extra"


class BackendError(RuntimeUnavailableError):
    """A device, or the library that drives it, does not open with this model.

    Attributes:
        reason: what it said, which may be next to nothing.
    """

    def __init__(self, backend: str, reason: str) -> None:
        super().__init__(f"{backend}: {reason}")
        self.reason = reason


class ReportError(EdgeCxrError):
    """A report, or a benchmark's result, cannot be read, is none, or compares with no other."""

    exit_code = EXIT_INPUT
    kind = "report"


class InvalidError(Exception):
    """An object is not as its schema says; whoever reads the file says which file it is."""


class LabelError(EdgeCxrError, KeyError):
    """An answer holds no such label."""

    exit_code = EXIT_USAGE
    kind = "label"

    def __str__(self) -> str:
        return str(self.args[0])  # a KeyError's would be in quotes


class OutputError(EdgeCxrError):
    """Results were computed but could not be written."""

    kind = "output"


def not_loaded(error: ImportError) -> str:
    """What to say of a package that does not load: numpy's own text is a page."""
    reason = " ".join(str(error).strip().splitlines()[-1:]) or type(error).__name__
    return (
        f"a package cannot be loaded ({reason[:200]}): out of memory, or a damaged installation: "
        "close other programs, or install again"
    )
