"""Choosing the backend and its number of threads: those that are named, or what works best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from edge_app.backends import reasons, registry, trial_results
from edge_app.backends.fault import ABSENT, CRASH, MODEL, UNTRIED, Fault
from edge_app.backends.options import BackendOptions
from edge_app.backends.protocol import Backend, Session, SessionOptions
from edge_app.backends.reasons import Found, NotUsed
from edge_app.backends.trial_results import TrialResult
from edge_app.core.errors import BackendError, ModelError, RuntimeUnavailableError
from edge_app.model.model_file import ModelFile, locate, read, shipped_models
from edge_app.model.shipped import DEFAULT_MODEL


class Choice(NamedTuple):
    """The chosen backend, and why.

    Attributes:
        backend: the chosen one.
        threads: on the processor.
        why: a reason each for ``runtime``, ``delegate`` and ``threads``.
        not_used: the preferred backends that do not work, and why.
        notes: one line each for the user: which preferred backend is not used, and why.
        trial: the result for the backend that is used.
    """

    backend: Backend
    threads: int
    why: dict[str, str]
    not_used: tuple[NotUsed, ...]
    notes: tuple[str, ...]
    trial: TrialResult

    @property
    def label(self) -> str:
        """For people: versions, and the device if there is one."""
        return reasons.label(self.backend)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the reasons, and the backends that do not work."""
        return {"why": self.why, "not_used": [each.fault.as_dict() for each in self.not_used]}


def result_of(model: ModelFile, backend: Backend, again: bool = False) -> TrialResult:
    """The result of a backend's trial: the remembered one, or that of a new trial.

    A trial takes a fraction of a second.

    Args:
        model: whose first golden vector is computed.
        backend: to try.
        again: try it even if a result is remembered.
    """
    subject = trial_results.subject(model, backend)
    known = None if again else trial_results.remembered(subject)
    if known is None:
        from edge_app.backends import trial

        known = trial.run(model, backend)
        if known.fault and known.fault.kind == CRASH and not is_shipped(model):
            shipped = read(locate(DEFAULT_MODEL))
            if result_of(shipped, backend).fault is None:
                known = TrialResult(_at_fault(model, known.fault))
        trial_results.remember(subject, known)
    return known


def _at_fault(model: ModelFile, crash: Fault) -> Fault:
    """The fault of a model that crashes a backend on which a shipped model runs."""
    return Fault(
        MODEL,
        f"{model.path}: is broken: with it, {crash.message.split(': ')[0]}; a shipped model runs "
        "there: get the model file again, or take another model",
    )


def is_shipped(model: ModelFile) -> bool:
    """Whether a model file is the same as one of the package."""
    return model.digest is not None and any(
        read(path).digest == model.digest for path in shipped_models()
    )


def _untried(model: ModelFile, fault: Fault) -> Fault:
    """The fault of an imported model that cannot be tried: untried, it may end the process."""
    return Fault(
        UNTRIED,
        f"{fault.message}; {model.path} is no shipped model, and is not used untried: close other "
        "programs, or raise the limits of files, processes and memory (ulimit)",
    )


def choose(model: ModelFile, options: BackendOptions, again: bool = False) -> Choice:
    """Choose the first backend that works with a model.

    Args:
        model: to be run.
        options: the user's.
        again: try each backend again, whatever is remembered.

    Raises:
        UsageError: there is no backend of this name.
        RuntimeUnavailableError: the backend that is named does not work here, or none does.
        ModelError: every backend refuses the model.
    """
    candidates = registry.find(options.backend)
    seen: list[Backend] = []
    not_used: list[NotUsed] = []
    for backend in candidates.backends:
        seen.append(backend)
        if not backend.installed:
            continue
        fault, result = backend.available(), TrialResult(None)
        if fault is None:
            result = result_of(model, backend, again)
            fault = result.fault
        # If no process can be started, the processor is used untried: nothing else is left.
        usable = fault is None
        if fault and fault.kind == UNTRIED and not backend.exclusive:
            usable = is_shipped(model)
            fault = fault if usable else _untried(model, fault)
        if fault is None or usable:
            return _choice(Found(model, options, candidates, seen, tuple(not_used), result))
        if fault not in [each.fault for each in not_used]:
            not_used.append(NotUsed(backend, fault))
    raise _nothing_works(model, seen, not_used)


def _choice(found: Found) -> Choice:
    """The choice of the backend that works."""
    backend, options = found.backend, found.options
    at_best = 1 if backend.exclusive or options.workers > 1 else found.result.threads
    return Choice(
        backend,
        options.threads or at_best,
        reasons.why(found),
        found.not_used,
        tuple(reasons.notes(found)),
        found.result,
    )


def _nothing_works(
    model: ModelFile, backends: Sequence[Backend], not_used: Sequence[NotUsed]
) -> ModelError | RuntimeUnavailableError:
    if not not_used:
        return _not_installed(backends)
    # A device that auto prefers may fail; a backend of the processor must not.
    needed = [each for each in not_used if not each.backend.exclusive]
    if not needed:
        return RuntimeUnavailableError(not_used[0].fault.message)
    first, failure = needed[0], needed[0].backend.failure
    if first.fault.kind == MODEL:
        return ModelError(_required(model, first.backend) or first.fault.message)
    said = "; ".join(each.fault.message for each in needed)
    if all(each.fault.kind == ABSENT for each in needed):
        install = f"pip install {first.backend.packages[0]}"
        return RuntimeUnavailableError(f"{failure} ({said}): {install}")
    return RuntimeUnavailableError(f"{failure}: {said}")


def _not_installed(backends: Sequence[Backend]) -> RuntimeUnavailableError:
    """What to install for the named backend, or for the first ones that auto tries."""
    kinds = [each for each in backends if not each.exclusive and not each.last_resort]
    if len(kinds) < 2:
        fault = (kinds or backends)[0].available()
        return RuntimeUnavailableError(fault.message if fault else "")
    packages = " or ".join(each.packages[0] for each in kinds)
    return RuntimeUnavailableError(f"{kinds[0].failure}: pip install {packages}")


def _required(model: ModelFile, refusing: Backend) -> str | None:
    """Why the processor refuses a network that was compiled for another backend."""
    network = refusing.network(model)
    known = (each.requirement(network) for each in registry.all_backends())
    said = next(filter(None, known), None)
    return f"{model.path}: {said}" if said else None


def open_session(
    model: ModelFile, options: BackendOptions, again: bool = False
) -> tuple[Session, Choice]:
    """A session with the chosen backend, and the choice; see `choose`.

    Raises:
        as `choose`.
    """
    choice = choose(model, options, again)
    try:
        return _opened(model, choice), choice
    except BackendError:  # it worked in the trial: unplugged since, or in use
        choice = choose(model, options, again=True)
        return _opened(model, choice), choice


def _opened(model: ModelFile, choice: Choice) -> Session:
    return choice.backend.open(model, SessionOptions(choice.threads))
