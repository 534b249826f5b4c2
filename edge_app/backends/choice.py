"""Which interpreter, which delegate, how many threads: what was asked for, or what works best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_app.backends import trial_results as verdicts
from edge_app.backends.fault import ABSENT, MODEL, UNTRIED, Fault
from edge_app.backends.options import AUTO, CPU, EDGETPU, Asked, needs_edgetpu
from edge_app.backends.registry import INSTALL, NO_RUNTIME, candidates, find_delegate, not_installed
from edge_app.backends.runtime import Runtime
from edge_app.backends.session import Session, flatbuffer_for
from edge_app.backends.trial_results import TrialResult
from edge_app.core.errors import DelegateError, ModelError, RuntimeUnavailableError
from edge_app.model.model_file import ModelFile

if TYPE_CHECKING:
    from edge_app.backends.delegate import Delegate


class Choice(NamedTuple):
    """What is used, and why.

    Attributes:
        delegate: None for the CPU.
        why: a reason each for ``runtime``, ``delegate`` and ``threads``.
        refused: what is wrong with the delegate that would have been preferred.
        broken: what is wrong with the runtimes that would have been.
        notes: one line each that the user must hear: what was hoped for is not what is used.
        verdict: of the trial of what is used.
    """

    runtime: Runtime
    delegate: Delegate | None
    threads: int
    why: dict[str, str]
    refused: tuple[Fault, ...]
    broken: tuple[Fault, ...]
    notes: tuple[str, ...]
    verdict: TrialResult

    @property
    def label(self) -> str:
        """For people: versions, and the delegate if there is one."""
        return self.runtime.label + (f" and {self.delegate.label}" if self.delegate else "")

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the reasons, and what was tried and not used."""
        not_used = [fault.as_dict() for fault in (*self.refused, *self.broken)]
        return {"why": self.why, "not_used": not_used}


def tried(
    model: ModelFile, runtime: Runtime, delegate: Delegate | None, again: bool = False
) -> TrialResult:
    """The verdict about a combination: the remembered one, or a trial's (a fraction of a second).

    Args:
        model: on whose first golden vector.
        runtime: the interpreter.
        delegate: None for the CPU.
        again: try it even if there is a verdict.
    """
    about = verdicts.subject(model, runtime, delegate)
    known = None if again else verdicts.remembered(about)
    if known is None:
        from edge_app.backends import trial

        known = trial.run(model, runtime, delegate)
        verdicts.remember(about, known)
    return known


def choose(model: ModelFile, asked: Asked, again: bool = False) -> Choice:
    """What to run a model with.

    Args:
        model: to be run.
        asked: for.
        again: do not believe remembered verdicts.

    Raises:
        UsageError: a name that is none.
        RuntimeUnavailableError: what was asked for does not work here, or nothing does.
        ModelError: every runtime refuses the model.
    """
    runtimes = candidates(asked.runtime)
    delegate = find_delegate(asked.delegate)
    faults: list[Fault] = []
    if delegate:
        working = _first(model, runtimes, delegate, faults, again)
        if working:
            return _with_delegate(model, delegate, *working, asked, faults)
        if asked.delegate != AUTO:
            raise RuntimeUnavailableError(faults[0].message)
    broken: list[Fault] = []
    working = _first(model, runtimes, None, broken, again)
    if working is None:
        raise _nothing_works(runtimes, broken)
    return _on_cpu(*working, asked, faults, broken)


def _first(
    model: ModelFile,
    runtimes: Sequence[Runtime],
    delegate: Delegate | None,
    faults: list[Fault],
    again: bool,
) -> tuple[Runtime, TrialResult] | None:
    """The first runtime that works with a delegate; what is wrong with others goes to `faults`."""
    known = delegate.unavailable() if delegate else None
    if known:
        faults.append(known)
        return None
    for runtime in runtimes:
        if runtime.folder is None:
            continue
        verdict = tried(model, runtime, delegate, again)
        # The CPU is all there is: it is used untried where no process can be started to try it.
        if verdict.fault is None or (delegate is None and verdict.fault.kind == UNTRIED):
            return runtime, verdict
        faults.append(verdict.fault)
    return None


def _on_cpu(
    runtime: Runtime, verdict: TrialResult, asked: Asked, faults: list[Fault], broken: list[Fault]
) -> Choice:
    """The choice of the CPU.

    Args:
        runtime, verdict: the first that works.
        asked: for.
        faults: of the delegate that would have been preferred.
        broken: of the runtimes that would have been.
    """
    notes = [f"{fault.message}; answering on the CPU" for fault in faults[:1]]
    notes += [f"{fault.message}; answering with {runtime.label}" for fault in broken[:1]]
    if verdict.fault:
        notes.append(f"{verdict.fault.message}; using {runtime.label} all the same")
    why = {
        "runtime": _why_runtime(asked, broken),
        "delegate": _why_cpu(asked, faults),
        "threads": _why_threads(asked, verdict),
    }
    threads = asked.threads or (1 if asked.workers > 1 else verdict.threads)
    return Choice(runtime, None, threads, why, tuple(faults), tuple(broken), tuple(notes), verdict)


def _with_delegate(
    model: ModelFile,
    delegate: Delegate,
    runtime: Runtime,
    verdict: TrialResult,
    asked: Asked,
    faults: list[Fault],
) -> Choice:
    """The choice of a delegate; `faults` are of runtimes that do not work with it."""
    notes = [f"{fault.message}; answering with {runtime.label}" for fault in faults[:1]]
    if delegate.name == EDGETPU and not needs_edgetpu(flatbuffer_for(model, delegate)):
        notes.append(
            f"{model.path} holds no network compiled for the Edge TPU, so nothing would run there "
            "and the CPU computes all of it: python -m quantize edgetpu compiles one"
        )
    why = {
        "runtime": _why_runtime(asked, faults),
        "delegate": "asked for" if asked.delegate != AUTO else "found, and right when tried",
        "threads": "asked for" if asked.threads else "the delegate computes",
    }
    threads = asked.threads or 1
    return Choice(runtime, delegate, threads, why, (), tuple(faults), tuple(notes), verdict)


def _why_runtime(asked: Asked, faults: list[Fault]) -> str:
    if asked.runtime != AUTO:
        return "asked for"
    return "the preferred one does not work" if faults else "the preferred one that is installed"


def _why_cpu(asked: Asked, faults: list[Fault]) -> str:
    if asked.delegate == CPU:
        return "asked for"
    return f"the Edge TPU does not work: {faults[0].kind}" if faults else "no Edge TPU's library"


def _why_threads(asked: Asked, verdict: TrialResult) -> str:
    if asked.threads:
        return "asked for"
    if asked.workers > 1:
        return "one for each worker"
    if not verdict.milliseconds:
        return "not measured"
    counts = " or ".join(str(n) for n in sorted(verdict.milliseconds))
    return f"fastest of {counts} when tried here" if len(verdict.milliseconds) > 1 else "one core"


def _nothing_works(
    runtimes: Sequence[Runtime], faults: list[Fault]
) -> ModelError | RuntimeUnavailableError:
    if not faults:
        return not_installed(runtimes)
    if faults[0].kind == MODEL:
        return ModelError(faults[0].message)
    reasons = "; ".join(fault.message for fault in faults)
    if all(fault.kind == ABSENT for fault in faults):
        return RuntimeUnavailableError(f"{NO_RUNTIME} ({reasons}): {INSTALL}")
    return RuntimeUnavailableError(f"{NO_RUNTIME}: {reasons}")


def open_session(model: ModelFile, asked: Asked, again: bool = False) -> tuple[Session, Choice]:
    """A model ready to run, with what `choose` chose.

    Raises:
        as `choose`.
    """
    choice = choose(model, asked, again)
    try:
        return Session(model, choice.runtime, choice.threads, choice.delegate), choice
    except DelegateError:  # it worked when it was tried: unplugged since, or in use
        choice = choose(model, asked, again=True)
        return Session(model, choice.runtime, choice.threads, choice.delegate), choice
