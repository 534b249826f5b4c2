"""What computes, as all the rest sees it: a `Backend`, and the `Session`s that it opens.

A backend is a class of one file that names this one as its base, and a line in `registry`. It
overrides what it knows better: see ``docs/develop/add-a-backend.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final, NamedTuple, Protocol

from numpy.typing import NDArray

from edge_app.backends.fault import ABSENT, MODEL, REFUSED, UNTRIED, Fault
from edge_app.model.model_file import ModelFile

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
"""Steps of a trial before and after these."""

UNNAMED: Final = "external"
"""What JSON says of a library without a name of its own; its path tells it apart."""


class Stage(Protocol):
    """Told what is going to be done next, so that a process that dies has said where."""

    def __call__(self, name: str, doing: str, versions: str = "") -> None:
        """Take note.

        Args:
            name: a step, for `Backend.explain`.
            doing: the same for people, e.g. ``loading the library``.
            versions: of what takes part, for people, e.g. ``with litert 2.0 and libx 16``.
        """


def unheard(name: str, doing: str, versions: str = "") -> None:
    """The stage of a session that nobody watches."""


class SessionOptions(NamedTuple):
    """How to open a session.

    Attributes:
        threads: that compute at once, where the processor does.
        stage: is told each step.
    """

    threads: int = 1
    stage: Stage = unheard


ONE_THREAD: Final = SessionOptions()


class Failure(NamedTuple):
    """An exception met while a backend was tried in another process.

    Attributes:
        stage: the step in which it was raised.
        reason: its words, one printable line.
        is_model: it was a `ModelError`: the model is at fault, and nothing else.
    """

    stage: str
    reason: str
    is_model: bool


class RawOutputs(NamedTuple):
    """What the graph gave, in its own dtype: logits (L,) and map (h, w, L), if there is one."""

    logits: NDArray[Any]
    map: NDArray[Any] | None


class Backend(Protocol):
    """One way to compute: an interpreter on the processor, or a device and what drives it.

    Attributes:
        name: on the command line and in reports.
        title: for people, of its kind.
        hint: what to do where it crashes, hangs, or computes something else.
        failure: how a message begins that says that it does not work, nor what stands in for it.
        packages: what pip calls the packages that it needs, the first one being its own.
        exclusive: it has a device or library of its own, which serves one session at a time.
            Otherwise the processor computes, and each worker opens a session.
        last_resort: ``auto`` takes it only where nothing before it works, and says so.
        more_threads: numbers above one that are worth measuring.
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
        """What ``--backend NAME:PART`` means, best first; at least one, installed or not.

        Raises:
            UsageError: there is no such part.
        """
        raise NotImplementedError

    @property
    def option(self) -> str:
        """What ``--backend`` has to say to lead to this one and no other."""
        return self.name

    @property
    def label(self) -> str:
        """For messages: what it is, and which version or file."""
        raise NotImplementedError

    @property
    def software(self) -> str:
        """The packages that it runs in, with their versions; most often that is all of it."""
        return self.label

    @property
    def installed(self) -> bool:
        """Whether there is anything of it here. If not, ``auto`` passes it over without a word."""
        raise NotImplementedError

    def available(self) -> Fault | None:
        """What is known to be wrong without running any of its code."""
        raise NotImplementedError

    def facts(self) -> dict[str, Any]:
        """All that a trial's result depends on beside the model and this machine, for JSON."""
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
            BackendError: the same where its device or library may be at fault.
            ImportError, OSError: its package does not import.
        """
        raise NotImplementedError

    def explain(self, failure: Failure) -> Fault:
        """What is wrong, in the words of who has to do something about it."""
        if failure.stage == IMPORT:
            return Fault(ABSENT, f"{self.packages[0]} does not import: {failure.reason}")
        if failure.is_model:
            return Fault(MODEL, failure.reason)
        if self.exclusive:
            return Fault(REFUSED, f"{self.label} refuses: {failure.reason}: {self.hint}")
        return Fault(UNTRIED, failure.reason)

    def summary(self, model: ModelFile) -> str | None:
        """What ``models inspect`` says of it for a model; None for nothing."""
        return None

    def caveat(self, model: ModelFile) -> str | None:
        """What must be heard though it works: one line, or None."""
        return None

    def requirement(self, network: bytes) -> str | None:
        """Why a flatbuffer runs with this backend and no other, one line; None if it does not."""
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
        """The same once more, for another thread.

        Raises:
            ModelError, BackendError: as for the first, e.g. where a device serves one only.
        """
        return self.backend.open(self.model, SessionOptions(self.threads))

    @property
    def exclusive(self) -> bool:
        """Whether it is the only one: a device serves one session at a time."""
        return self.backend.exclusive

    @property
    def where(self) -> str:
        """Who computes, for messages."""
        return self.backend.label if self.exclusive else self.backend.packages[0]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**self.backend.identity(), "threads": self.threads}
