"""The error of converting a float network to a model file."""

from train.errors import RunError


class ConversionError(RunError):
    """A conversion failed, or its result is not what the device expects."""

    kind = "conversion"
