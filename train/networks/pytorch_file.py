"""Reading PyTorch's weights files without PyTorch, which would be hundreds of megabytes more.

The packages of ImageNet weights use the format of `torch.save` before version 1.6: pickles of a
magic number, a version, the machine, the tensors by name and the storages' keys, and then each
storage as a count and its numbers. Of all that a pickle could call, only what makes a tensor is.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

MAGIC: Final = 0x1950A86A20F9469CFC6C

TYPES: Final = {"FloatStorage": "<f4", "LongStorage": "<i8"}


class Tensor:
    """A tensor whose storage is read later."""

    def __init__(
        self, key: str, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *more: object
    ) -> None:
        self.key, self.offset, self.size, self.stride = key, offset, size, stride

    def array(self, storage: NDArray[Any]) -> NDArray[Any]:
        strides = tuple(step * storage.itemsize for step in self.stride)
        view = np.lib.stride_tricks.as_strided(storage[self.offset :], self.size, strides)
        return np.array(view)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.types: dict[str, str] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return Tensor
        if module == "torch" and name in TYPES:
            return TYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a weights file")

    def persistent_load(self, reference: Any) -> str:
        _, dtype, key, *_ = reference
        self.types[key] = dtype
        return str(key)


def read_state(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a PyTorch state dict by name.

    Raises:
        ValueError: the file is none, or of another format.
    """
    try:
        with path.open("rb") as file:
            if _Unpickler(file).load() != MAGIC:
                raise ValueError("another magic number")
            for _ in ("version", "machine"):
                _Unpickler(file).load()
            tensors = _Unpickler(file)
            state = tensors.load()
            storages = {}
            for key in _Unpickler(file).load():
                count = int(np.fromfile(file, "<i8", 1)[0])
                storages[key] = np.fromfile(file, tensors.types[key], count)
        return {name: tensor.array(storages[tensor.key]) for name, tensor in state.items()}
    except (pickle.UnpicklingError, EOFError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"{path}: is no PyTorch file of weights: {error}") from None
