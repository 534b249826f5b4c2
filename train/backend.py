"""What little of training differs between the backends of Keras: TensorFlow and JAX."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import chain
from typing import Any, Final, TypeVar

import keras

PRECISIONS: Final = ("auto", "float32", "mixed_bfloat16")
"""Of the arithmetic; weights are float32 always, so a run can go on in another one."""

Function = TypeVar("Function", bound=Callable[..., Any])


def name() -> str:
    """ "tensorflow" or "jax"."""
    return str(keras.backend.backend())


def versions(*more: str) -> dict[str, str]:
    """The packages that decided the numbers."""
    packages = (name(), "keras", "numpy", "Pillow", "scikit-learn", *more)
    return {"python": platform.python_version(), **{each: version(each) for each in packages}}


def compiled(function: Function) -> Function:
    """A function of `keras.ops`, traced once for each set of shapes that it meets."""
    if name() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow

    return tensorflow.function(function)


def stream(batches: Iterator[tuple[Any, ...]]) -> Any:
    """Batches of one shape as Keras takes them: ahead of the step that needs them, shape and all.

    Of a plain generator Keras would tell TensorFlow no batch size.
    """
    if name() == "jax":
        return batches
    import tensorflow

    first = next(batches)
    signature = tuple(tensorflow.TensorSpec(each.shape, each.dtype) for each in first)
    dataset = tensorflow.data.Dataset.from_generator(
        lambda: chain([first], batches), output_signature=signature
    )
    return dataset.prefetch(4)


def make_repeatable() -> None:
    """Let the same seed give the same weights; JAX does so on a processor without being told."""
    if name() == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()


def has_gpu() -> bool:
    """Whether Keras computes on something faster than the processor."""
    return not all(device.startswith("cpu") for device in keras.distribution.list_devices())


def precision(wanted: str) -> str:
    """One of `PRECISIONS`; "auto" is bfloat16 where there is a GPU, and float32 elsewhere."""
    if wanted != "auto":
        return wanted
    return "mixed_bfloat16" if has_gpu() else "float32"


@contextmanager
def computing_in(policy: str) -> Iterator[None]:
    """Networks that are made inside compute in this precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
