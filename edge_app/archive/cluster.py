"""A cluster's processors in place of this machine's: Ray's actors, https://docs.ray.io.

This machine names the sources, keeps the answers, and confirms each refusal. Each worker is a
process that opens the model once. What a worker had begun when it died is given to it again once
Ray has restarted it, there or elsewhere.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge_app.archive.answers import answers as answers_here
from edge_app.classifier import Classifier
from edge_app.core.about import __version__
from edge_app.core.errors import (
    DatasetError,
    EdgeCxrError,
    MachineError,
    MissingExtraError,
    RuntimeUnavailableError,
    UsageError,
)
from edge_app.core.plain_text import plain, printable
from edge_app.images.radiograph import Limits

if TYPE_CHECKING:
    from edge_app.archive.answers import Row, Rows

    Some = list[tuple[str, Row]]

LOCAL: Final = "local"
"""The address that starts Ray on this machine, for as long as the work takes."""

SOURCES: Final = 16
"""Sources that a worker gets at once: scored in a fraction of a second, and few are lost when it
dies."""

AHEAD: Final = 2
"""Batches of sources that each worker gets before its first answers, so that none waits."""

RETRIES: Final = 3
"""Tries of sources whose worker died: a file that kills every process is not tried for ever."""

PATIENCE: Final = 10.0
"""Seconds in which the cluster's address must answer."""

OBJECTS: Final = 128 << 20
"""Bytes of memory that a Ray of this machine keeps for what is passed on."""


class Work(NamedTuple):
    """What lets a worker answer as this machine does.

    Attributes:
        classifier: without its session.
        limits: what images are refused unread.
        computes: the backend here, with its versions: another one's scores differ in their last
            digits.
        version: of this package.
        folder: in which relative names are looked up.
    """

    classifier: Classifier
    limits: Limits
    computes: dict[str, Any]
    version: str
    folder: str


class Scorer:
    """A worker, which opens the model with the first sources: a fault of it is then an answer."""

    def __init__(self) -> None:
        self._opened: tuple[Classifier, Limits] | None = None

    def rows(self, work: Sequence[Any], sources: list[str]) -> Some:
        """Some sources with their rows.

        Args:
            work: Ray's reference to a `Work`, fetched once.
            sources: their names.
        """
        if self._opened is None:
            import ray

            self._opened = _opened(ray.get(work[0]))
        return list(answers_here(sources, *self._opened))


def _opened(work: Work) -> tuple[Classifier, Limits]:
    here = os.uname().nodename
    if work.version != __version__:
        raise RuntimeUnavailableError(
            f"{here}: has edge-cxr {__version__}: install {work.version}, as here"
        )
    with suppress(OSError):  # whole names need no folder
        os.chdir(work.folder)
    work.classifier.open()
    found = work.classifier.session.backend.identity()
    if found != work.computes:
        raise RuntimeUnavailableError(
            f"{here}: computes with {_identity_text(found)}, and this machine with "
            f"{_identity_text(work.computes)}: install the same, or name one with --backend"
        )
    return work.classifier, work.limits


def _identity_text(identity: dict[str, Any]) -> str:
    return " ".join(str(value) for value in identity.values() if isinstance(value, str))


def answers(
    sources: Iterable[str],
    classifier: Classifier,
    limits: Limits,
    address: str,
    workers: int | None = None,
) -> Rows:
    """Each source and its row, in the order in which they come.

    Args:
        sources: paths and addresses that mean the same on every machine.
        classifier: who answers here.
        limits: what images are refused unread.
        address: of the cluster, as `ray.init` takes it, or `LOCAL`.
        workers: how many processes; None: one a processor of the cluster.

    Raises:
        DatasetError: a worker cannot read what this machine can, or a place is gone.
        MissingExtraError: Ray is not installed.
        RuntimeUnavailableError: there is no such cluster, a worker has other versions than this
            machine, or some sources killed their worker again and again.
        UsageError: the backend is a device, which serves one process.
    """
    if classifier.exclusive:
        raise UsageError("--ray: the backend is a device that serves one process: --backend cpu")
    work = Work(
        *(classifier, limits, classifier.session.backend.identity(), __version__, os.getcwd())
    )
    with _cluster(address, workers) as ray:
        shared = [ray.put(work)]
        pool = _pool(ray, workers)
        todo = iter(sources)
        while some := list(islice(todo, SOURCES)):
            if not pool.has_free():
                yield from _confirmed(_next(ray, pool), classifier, limits)
            pool.submit(lambda scorer, some: scorer.rows.remote(shared, some), some)
        while pool.has_next():
            # The processor of a worker that has nothing to do is free for one that lost its own.
            while pool.pop_idle():
                pass
            yield from _confirmed(_next(ray, pool), classifier, limits)


def _pool(ray: Any, workers: int | None) -> Any:
    """As many workers as were asked for, each of them `AHEAD` times."""
    from ray.util import ActorPool

    count = workers or int(ray.cluster_resources().get("CPU", 1))
    kind = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=RETRIES)(Scorer)
    return ActorPool([kind.remote() for _ in range(count)] * AHEAD)


def _next(ray: Any, pool: Any) -> Some:
    try:
        found: Some = pool.get_next_unordered()
    except ray.exceptions.RayError as error:
        if isinstance(cause := getattr(error, "cause", None), EdgeCxrError):
            raise cause from None
        raise RuntimeUnavailableError(
            f"Ray: {_line(error)}: what was answered is kept; without --ray the same command goes "
            "on and shows which source it is"
        ) from None
    return found


def _confirmed(found: Some, classifier: Classifier, limits: Limits) -> Rows:
    """Rows whose refusals are this machine's own.

    A worker may lack the share, a package or memory: then nothing is wrong with the image.
    """
    for source, row in found:
        if "error" not in row:
            yield source, row
            continue
        ((_, own),) = answers_here([source], classifier, limits)
        if "error" not in own and row["error"]["kind"] != MachineError.kind:
            raise DatasetError(
                f"{printable(source)}: can be read here, but not by a worker: "
                f"{row['error']['message']}: let it see the same folders and have the same "
                "packages, then the same command goes on where it stopped"
            )
        yield source, own


@contextmanager
def _cluster(address: str, workers: int | None) -> Iterator[Any]:
    """Ray, connected. It tells nobody that it is used."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ImportError:
        raise MissingExtraError("--ray needs Ray: pip install 'edge-cxr[ray]'") from None
    _require_open(address)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    own = {"num_cpus": workers, "include_dashboard": False, "object_store_memory": OBJECTS}
    try:
        ray.init(address=address, **quiet, **(own if address == LOCAL else {}))
    except Exception as error:  # whatever a wrong address makes of itself
        raise _no_cluster(address, error) from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _require_open(address: str) -> None:
    """Ray itself tries for minutes where nobody listens."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not (colon and port.isdecimal()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, error) from None


def _no_cluster(address: str, error: BaseException) -> RuntimeUnavailableError:
    return RuntimeUnavailableError(
        f"--ray {plain(address)}: no cluster can be reached: {_line(error)}: give the HOST:PORT "
        "that ray start --head printed, or local"
    )


def _line(error: BaseException) -> str:
    return plain(" ".join(str(error).split()))[:300] or type(error).__name__
