"""TensorFlow Lite's interpreter on the processor, from any of its packages."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from edge_app.backends.fault import ABI, ABSENT, Fault
from edge_app.backends.options import CPU
from edge_app.backends.package import Package
from edge_app.backends.protocol import IMPORT, ONE_THREAD, Backend, Failure, SessionOptions, Stage
from edge_app.core import native_stderr
from edge_app.core.errors import UsageError
from edge_app.model.model_file import ModelFile

if TYPE_CHECKING:
    from edge_app.backends.tflite_session import TfliteSession

NO_INTERPRETER: Final = "no TensorFlow Lite runtime works here"


class Interpreter(Backend):
    """An interpreter package; imported when it is first used, without output.

    Attributes:
        distribution: its name in pip.
        module: its name in Python.
        package: its folder and version.
    """

    title = "runtime"
    failure = NO_INTERPRETER
    exclusive = False
    more_threads = (2, 4)
    distribution: ClassVar[str]
    module: ClassVar[str]

    def __init__(self) -> None:
        self.package = Package(self.distribution, self.module)
        self.packages = (self.distribution,)

    @classmethod
    def find(cls, part: str = "") -> Sequence[Interpreter]:
        if part:
            raise UsageError(f"--backend {cls.name}:{part}: nothing follows {cls.name}")
        return (cls(),)

    @property
    def label(self) -> str:
        return self.package.label

    @property
    def installed(self) -> bool:
        return self.package.folder is not None

    def available(self) -> Fault | None:
        if self.installed:
            return None
        return Fault(ABSENT, f"{NO_INTERPRETER}: pip install {self.distribution}")

    def facts(self) -> dict[str, Any]:
        return self.package.facts()

    def identity(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.package.version,
            "delegate": CPU,
            "library": None,
        }

    def open(self, model: ModelFile, options: SessionOptions = ONE_THREAD) -> TfliteSession:
        from edge_app.backends.tflite_session import TfliteSession

        self.load(options.stage)
        return TfliteSession(model, self, self, options)

    def load(self, stage: Stage, versions: str = "") -> None:
        """Import it.

        Raises:
            ImportError, OSError: as `interpreter`.
        """
        stage(IMPORT, f"importing {self.distribution}", versions)
        _ = self.interpreter

    def explain(self, failure: Failure) -> Fault:
        explained = self.misfit(failure.reason)
        return Fault(ABI, explained) if explained else super().explain(failure)

    def misfit(self, reason: str) -> str | None:
        """The meaning of an obscure error that another package causes; None for other errors."""
        return None

    @property
    def interpreter(self) -> Any:
        """Its `Interpreter` class.

        Raises:
            ImportError, OSError: it does not import; a shared library of it is missing.
        """
        return self._import().Interpreter

    def load_delegate(self, library: Path) -> Any:
        """A handle of the delegate in a shared library.

        Raises:
            OSError, AttributeError, ValueError: the library does not load, is no delegate, refuses.
        """
        return self._import().load_delegate(str(library))

    def _import(self) -> Any:
        with native_stderr.silenced():
            return import_module(f"{self.module}.interpreter")
