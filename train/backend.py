"""The parts of training that differ between Keras' backends, TensorFlow and JAX."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import chain
from typing import Any, Final, TypeVar

import keras

PRECISIONS: Final = ("auto", "float32", "mixed_bfloat16")
"""Precisions of the arithmetic. Weights are always float32, so a run can resume in another one."""

Function = TypeVar("Function", bound=Callable[..., Any])


def name() -> str:
    """ "tensorflow" or "jax"."""
    return str(keras.backend.backend())


def versions(*more: str) -> dict[str, str]:
    """The versions of Python and of the packages that decide the numbers."""
    packages = (name(), "keras", "numpy", "Pillow", "scikit-learn", *more)
    return {"python": platform.python_version(), **{each: version(each) for each in packages}}


def compiled(function: Function) -> Function:
    """A function of `keras.ops`, compiled once for each set of input shapes."""
    if name() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow

    return tensorflow.function(function)


def stream(batches: Iterator[tuple[Any, ...]]) -> Any:
    """Batches of one shape as Keras takes them, prepared ahead of the step that needs them.

    From a plain generator TensorFlow would not learn the batch size.
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
    """Make the same seed give the same weights, as JAX does on a CPU by default."""
    if name() == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()


def has_gpu() -> bool:
    """Whether Keras computes on something other than the CPU."""
    return not all(device.startswith("cpu") for device in keras.distribution.list_devices())


def precision(requested: str) -> str:
    """One of `PRECISIONS`; "auto" is bfloat16 where there is a GPU, and float32 elsewhere."""
    if requested != "auto":
        return requested
    return "mixed_bfloat16" if has_gpu() else "float32"


@contextmanager
def computing_in(policy: str) -> Iterator[None]:
    """A context in which new networks compute in this precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
