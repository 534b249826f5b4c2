"""A choice of a backend in words: the reasons, and what the user must know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from edge_app.backends.fault import Fault
from edge_app.backends.options import BackendOptions
from edge_app.backends.protocol import Backend
from edge_app.backends.registry import Candidates
from edge_app.backends.trial_results import TrialResult
from edge_app.model.model_file import ModelFile


class NotUsed(NamedTuple):
    """A preferred backend that does not work, and why."""

    backend: Backend
    fault: Fault


class Found(NamedTuple):
    """The first candidate that works.

    Attributes:
        model: to be run.
        options: the user's.
        candidates: the backends that fit these options.
        seen: the candidates up to the one that works, installed or not.
        not_used: those that do not work.
        result: of the working one's trial.
    """

    model: ModelFile
    options: BackendOptions
    candidates: Candidates
    seen: Sequence[Backend]
    not_used: tuple[NotUsed, ...]
    result: TrialResult

    @property
    def backend(self) -> Backend:
        """The one that works."""
        return self.seen[-1]

    def passed_over(self, exclusive: bool) -> list[NotUsed]:
        """The devices, or the backends of the processor, that do not work."""
        return [each for each in self.not_used if each.backend.exclusive == exclusive]


def label(backend: Backend) -> str:
    """Versions, and the device if there is one."""
    if backend.software == backend.label:
        return backend.label
    return f"{backend.software} and {backend.label}"


def why(found: Found) -> dict[str, str]:
    """A reason each for ``runtime``, ``delegate`` and ``threads``, for JSON."""
    return {
        "runtime": _why_software(found),
        "delegate": _why_device(found),
        "threads": _why_threads(found),
    }


def _why_software(found: Found) -> str:
    if found.candidates.software_named:
        return "asked for"
    if found.passed_over(exclusive=found.backend.exclusive):
        return "the preferred one does not work"
    return "the preferred one that is installed"


def _why_device(found: Found) -> str:
    if found.candidates.device_named:
        return "asked for"
    if found.backend.exclusive:
        return "found, and right when tried"
    for backend, fault in found.passed_over(exclusive=True):
        return f"the {backend.title} does not work: {fault.kind}"
    devices = [each for each in found.seen if each.exclusive]
    return f"no {devices[0].title}'s library" if devices else "there is no other"


def _why_threads(found: Found) -> str:
    if found.options.threads:
        return "asked for"
    if found.backend.exclusive:
        return "the delegate computes"
    if found.options.workers > 1:
        return "one for each worker"
    times = found.result.milliseconds
    if not times:
        return "not measured"
    counts = " or ".join(str(n) for n in sorted(times))
    return f"fastest of {counts} when tried here" if len(times) > 1 else "one core"


def notes(found: Found) -> Iterator[str]:
    """One line each for the user: which preferred backend is not used, and why."""
    backend = found.backend
    for each in found.passed_over(exclusive=True)[:1]:
        yield f"{each.fault.message}; answering {_instead(each.backend, backend)}"
    others = found.passed_over(exclusive=False)
    for each in others[:1]:
        yield f"{each.fault.message}; answering {_instead(each.backend, backend)}"
    if backend.last_resort and not others and not found.candidates.software_named:
        preferred = next(each for each in found.seen if not each.exclusive)
        yield f"{preferred.failure}; answering with {backend.software}"
    if found.result.fault:
        yield f"{found.result.fault.message}; using {backend.label} all the same"
    caveat = backend.caveat(found.model)
    if caveat:
        yield caveat


def _instead(refused: Backend, used: Backend) -> str:
    if refused.exclusive and not used.exclusive:
        return "on the CPU"
    if refused.exclusive and refused.name != used.name:
        return f"on the {used.title}"
    return f"with {used.software}"
