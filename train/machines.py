"""Training over several GPUs or machines: Keras' data parallelism on JAX.

Every machine runs the same program. Each prepares its share of every batch, gradients and batch
normalisation's means are those of the whole batch, and the weights are the same everywhere. The
first machine's run folder is the one that is kept; every other machine works in a temporary copy.
Without other machines or GPUs nothing here has an effect.
"""

from __future__ import annotations

import atexit
import hashlib
import io
import os
import socket
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

import keras
import numpy as np
from numpy.typing import NDArray

from train import backend
from train.errors import RunError

GONE: Final = (
    "another machine is gone, or does something else: start all of them again with the same "
    "command; they go on after the last epoch that was finished"
)
NAMED: Final = "--machines: write HOST:PORT,HOST:PORT, the first one's port being free"


def addresses(text: str) -> list[str]:
    """``HOST:PORT,HOST:PORT`` → addresses, two or more.

    Raises:
        RunError: it is not of that form.
    """
    found = [each.strip() for each in text.split(",")]
    ports = [each.rpartition(":") for each in found]
    if len(found) < 2 or not all(host and port.isdecimal() for host, _, port in ports):
        raise RunError(NAMED)
    return found


def number_here(machines: Sequence[str]) -> int:
    """Which of the machines this is, from 1, by its own addresses.

    Raises:
        RunError: it is none of them, or several.
    """
    here = [place for place, each in enumerate(machines, 1) if _is_here(each.rpartition(":")[0])]
    if len(here) != 1:
        which = "several" if here else "none"
        raise RunError(f"--machines: this machine is {which} of them: say which with --machine N")
    return here[0]


def _is_here(host: str) -> bool:
    """Whether a name or address is this machine's own."""
    try:
        kind, *_, place = socket.getaddrinfo(host.strip("[]"), 0, type=socket.SOCK_DGRAM)[0]
        with socket.socket(kind, socket.SOCK_DGRAM) as probe:
            probe.bind(place)
    except OSError:
        return False
    return True


@contextmanager
def together(machines: str | None, number: int | None) -> Iterator[None]:
    """Compute on all devices of all machines; entered before anything is computed.

    Where one machine fails, each of them ends at once.

    Args:
        machines: HOST:PORT,HOST:PORT, of which the first one listens; None: this machine alone.
        number: which of them this is, from 1; None: found by its addresses.

    Raises:
        RunError: the backend is not JAX, the others do not come, or one of them is gone.
    """
    if machines is not None:
        _join(addresses(machines), number)
    _spread()
    try:
        yield
    except BaseException as error:
        lost = is_spread() and _is_of_the_others(error)
        if machines is not None:
            code = RunError.exit_code if lost else getattr(error, "exit_code", 1)
            atexit.register(_leave, code)
        if lost:
            raise RunError(GONE) from None
        raise
    finally:
        if is_spread():
            keras.distribution.set_distribution(None)


def _leave(code: int) -> None:
    """End the process without JAX's shutdown, which waits for machines that wait for this one."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _is_of_the_others(error: BaseException) -> bool:
    """Whether an error comes from what the machines compute together; its class varies."""
    import jax

    if isinstance(error, (jax.errors.JaxRuntimeError, ConnectionError)):
        return True
    return isinstance(error, (ValueError, RuntimeError)) and any(
        word in str(error) for word in ("Gloo", "NCCL", "coordination service")
    )


def _join(machines: Sequence[str], number: int | None) -> None:
    if backend.name() != "jax":
        raise RunError("--machines: several machines train on JAX: set KERAS_BACKEND=jax")
    place = number_here(machines) if number is None else number
    if not 1 <= place <= len(machines):
        raise RunError(f"--machine {place}: there are {len(machines)} machines")
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        keras.distribution.initialize(",".join(machines), len(machines), place - 1)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(f"--machines: the others cannot be reached: {reason}") from None


def _spread() -> None:
    if backend.name() == "jax" and len(keras.distribution.list_devices()) > 1:
        keras.distribution.set_distribution(
            keras.distribution.DataParallel(auto_shard_dataset=False)
        )


def is_spread() -> bool:
    """Whether more than one device computes."""
    return keras.distribution.distribution() is not None


def is_first() -> bool:
    """Whether this is the machine whose run folder is kept, and which prints."""
    return _processes()[0] == 0


def _processes() -> tuple[int, int]:
    """(number of this process from 0, how many there are)."""
    if not is_spread():
        return 0, 1
    import jax

    return jax.process_index(), jax.process_count()


def require_divisible(batch: int) -> None:
    """Raise a RunError if the devices cannot share a batch evenly."""
    devices = len(keras.distribution.list_devices()) if is_spread() else 1
    if batch % devices:
        raise RunError(f"a batch of {batch} cannot be shared by {devices} devices: --set batch=...")


def share_of(count: int) -> slice:
    """Which rows of a batch are this machine's."""
    place, of = _processes()
    return slice(place * count // of, (place + 1) * count // of)


def whole(values: NDArray[Any]) -> Any:
    """This machine's rows → the batch of all machines, spread over their devices."""
    if not is_spread():
        return values
    import jax

    distribution = keras.distribution.distribution()
    layout = distribution.get_data_layout(values.shape).backend_layout
    return jax.make_array_from_process_local_data(layout, values)


def own(values: Any) -> Any:
    """The batch of all machines → this machine's rows."""
    if not is_spread():
        return values
    shards = sorted(values.addressable_shards, key=lambda shard: shard.index[0].start or 0)
    if len(shards) == 1:
        return shards[0].data
    return np.concatenate([np.asarray(shard.data) for shard in shards])


Call = Callable[..., Any]
_CALLS: WeakKeyDictionary[keras.Model, Call] = WeakKeyDictionary()


def predicted(model: keras.Model, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """A network's outputs of images, N of them, the same on every machine."""
    if not is_spread():
        return model.predict_on_batch(images)
    import jax
    from jax.experimental import multihost_utils

    devices = len(keras.distribution.list_devices())
    rest = -len(images) % devices
    padded = np.concatenate([images, np.zeros((rest, *images.shape[1:]), images.dtype)])
    if model not in _CALLS:
        _CALLS[model] = jax.jit(
            lambda trained, other, x: model.stateless_call(trained, other, x, training=False)[0]
        )
    states = [[each.value for each in group] for group in _variables(model)]
    found = _CALLS[model](*states, whole(padded[share_of(len(padded))]))
    return np.asarray(multihost_utils.process_allgather(found, tiled=True))[: len(images)]


def _variables(model: keras.Model) -> tuple[list[Any], list[Any]]:
    return model.trainable_variables, model.non_trainable_variables


@contextmanager
def run_folder(run: Path) -> Iterator[Path]:
    """Where this machine's training writes: the run folder, or a copy of the first machine's."""
    if _processes()[1] == 1:
        yield run
        return
    with tempfile.TemporaryDirectory() as name:
        content = _from_the_first(_packed(run) if is_first() else b"")
        if is_first():
            yield run
            return
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            archive.extractall(name, filter="data")
        yield Path(name)


RESUMED: Final = ("config.json", "history.csv", "kept.weights.h5", "backup", "backup.previous")
"""The parts of a run folder that a run is resumed from."""


def _packed(run: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in RESUMED:
            if (run / name).exists():
                archive.add(run / name, name)
    return buffer.getvalue()


def _from_the_first(content: bytes) -> bytes:
    """The first machine's bytes, on every machine."""
    from jax.experimental import multihost_utils

    size = int(multihost_utils.broadcast_one_to_all(np.int32(len(content))))
    padded = np.frombuffer(content.ljust(size, b"\0")[:size], np.uint8)
    return bytes(np.asarray(multihost_utils.broadcast_one_to_all(padded)).astype(np.uint8))


def require_same(stated: str) -> None:
    """Raise a RunError if the machines were started with different data, options or packages.

    Args:
        stated: everything that decides the run.
    """
    if _processes()[1] == 1:
        return
    from jax.experimental import multihost_utils

    digest = np.frombuffer(hashlib.sha256(stated.encode()).digest(), np.uint8).astype(np.int32)
    every = np.asarray(multihost_utils.process_allgather(digest))
    other = [place for place, each in enumerate(every, 1) if (each != every[0]).any()]
    if other:
        raise RunError(
            f"machine {other[0]} has other data, options or packages than machine 1: give all "
            "of them the same"
        )
