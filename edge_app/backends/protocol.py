"""The interface of all backends: a `Backend`, and the `Session`s that it opens.

A backend is a subclass of `Backend` in a file of its own, and a line in `registry`. It overrides
what differs: see ``docs/develop/add-a-backend.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Protocol

from edge_app.backends.fault import ABSENT, MODEL, REFUSED, UNTRIED, Fault
from edge_app.model.model_file import ModelFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMPORT: Final = "import"
LIBRARY: Final = "library"
DEVICE: Final = "device"
NETWORK: Final = "network"
"""Steps of opening a session. A backend may have more."""

START: Final = "start"
FILE: Final = "file"
RUN: Final = "run"
CLOSE: Final = "close"
END: Final = "end"
"""Further steps of a trial, before and after opening a session."""

UNNAMED: Final = "external"
"""The name in JSON of a library without a name of its own, which its path identifies."""


class Stage(Protocol):
    """Called before each step, so that a process that dies has reported where."""

    def __call__(self, name: str, doing: str, versions: str = "") -> None:
        """Note a step.

        Args:
            name: a step, for `Backend.explain`.
            doing: the same in words, e.g. ``loading the library``.
            versions: of the software in use, in words, e.g. ``with litert 2.0 and libx 16``.
        """


def ignore_stage(name: str, doing: str, versions: str = "") -> None:
    """A `Stage` that does nothing."""


class SessionOptions(NamedTuple):
    """How to open a session.

    Attributes:
        threads: of the processor.
        stage: called before each step.
    """

    threads: int = 1
    stage: Stage = ignore_stage


ONE_THREAD: Final = SessionOptions()


class Failure(NamedTuple):
    """An exception met while a backend was tried in another process.

    Attributes:
        stage: the step in which it was raised.
        reason: its message, one printable line.
        is_model: whether it was a `ModelError`, so that only the model is at fault.
    """

    stage: str
    reason: str
    is_model: bool


class RawOutputs(NamedTuple):
    """The graph's outputs in its own dtype: logits (L,) and map (h, w, L), if there is one."""

    logits: NDArray[Any]
    map: NDArray[Any] | None


class Backend(Protocol):
    """One way to compute: an interpreter on the processor, or a device and what drives it.

    Attributes:
        name: on the command line and in reports.
        title: its kind in messages.
        hint: what the user can do if it crashes, hangs, or computes wrong answers.
        failure: the beginning of the message that nothing of its kind works.
        packages: the packages that it needs, by their names in pip, its own first.
        exclusive: whether it has a device or library of its own, which serves one session at a
            time. Otherwise the processor computes, and each worker opens a session.
        last_resort: whether ``auto`` takes it only if nothing before it works, and says so.
        more_threads: numbers of threads above one that a trial measures.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    hint: str
    failure: ClassVar[str] = "it does not work here"
    packages: tuple[str, ...] = ()
    exclusive: bool = True
    last_resort: bool = False
    more_threads: tuple[int, ...] = ()

    @classmethod
    def find(cls, part: str = "") -> Sequence[Backend]:
        """The backends for ``--backend NAME:PART``, best first; at least one, installed or not.

        Raises:
            UsageError: there is no such part.
        """
        raise NotImplementedError

    @property
    def option(self) -> str:
        """The value of ``--backend`` that selects this backend and no other."""
        return self.name

    @property
    def label(self) -> str:
        """For messages: its name with version or file."""
        raise NotImplementedError

    @property
    def software(self) -> str:
        """For messages: the packages that it runs in, with versions; mostly the same as `label`."""
        return self.label

    @property
    def installed(self) -> bool:
        """Whether any part of it is installed. If not, ``auto`` skips it silently."""
        raise NotImplementedError

    def available(self) -> Fault | None:
        """What is wrong, found without running any of its code; None if nothing is."""
        raise NotImplementedError

    def facts(self) -> dict[str, Any]:
        """For JSON: all that a trial's result depends on, except the model and this machine."""
        raise NotImplementedError

    def identity(self) -> dict[str, Any]:
        """For JSON: ``name`` and ``version`` of its software, ``delegate`` and ``library``.

        ``delegate`` is the device, or ``cpu``; ``library`` the file that drives it, if it is one
        that the user may replace.
        """
        raise NotImplementedError

    def network(self, model: ModelFile) -> bytes:
        """The flatbuffer that it runs: the one compiled for it, if the model has one."""
        return model.compiled.get(self.name, model.flatbuffer)

    def open(self, model: ModelFile, options: SessionOptions = ONE_THREAD) -> Session:
        """A model ready to run.

        Raises:
            ModelError: it refuses the network, or the network is not what its manifest says.
            BackendError: the same if its device or library may be at fault.
            ImportError, OSError: its package does not import.
        """
        raise NotImplementedError

    def explain(self, failure: Failure) -> Fault:
        """The fault behind a failure: its kind, and what the user can do about it."""
        if failure.stage == IMPORT:
            return Fault(ABSENT, f"{self.packages[0]} does not import: {failure.reason}")
        if failure.is_model:
            return Fault(MODEL, failure.reason)
        if self.exclusive:
            return Fault(REFUSED, f"{self.label} refuses: {failure.reason}: {self.hint}")
        return Fault(UNTRIED, failure.reason)

    def summary(self, model: ModelFile) -> str | None:
        """Its line in ``models inspect``; None: no line."""
        return None

    def caveat(self, model: ModelFile) -> str | None:
        """One line that the user must know although it works, or None."""
        return None

    def requirement(self, network: bytes) -> str | None:
        """Why a flatbuffer runs only with this backend, in one line; None if others run it too."""
        return None


class Session(Protocol):
    """A model loaded into a backend, its tensors checked against the manifest.

    It serves one thread at a time.
    """

    model: ModelFile
    backend: Backend
    threads: int

    def run(self, tensor: NDArray[Any]) -> RawOutputs:
        """1×height×width×channels in the model's dtype → its outputs, copied.

        Raises:
            ModelError: it fails, e.g. because a device was unplugged.
        """
        raise NotImplementedError

    def duplicate(self) -> Session:
        """Another session of the same kind, for another thread.

        Raises:
            ModelError, BackendError: as for the first, e.g. because a device serves only one.
        """
        return self.backend.open(self.model, SessionOptions(self.threads))

    @property
    def exclusive(self) -> bool:
        """Whether the backend serves one session at a time, as a device does."""
        return self.backend.exclusive

    @property
    def where(self) -> str:
        """What computes, for messages."""
        return self.backend.label if self.exclusive else self.backend.packages[0]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**self.backend.identity(), "threads": self.threads}
