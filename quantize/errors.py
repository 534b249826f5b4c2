"""What can go wrong between a float network and a model file."""

from train.errors import RunError


class ConversionError(RunError):
    """The converter's result is not what the device expects; nothing was shipped."""

    kind = "conversion"
