"""What can go wrong between a float network and a model file."""


class ConversionError(Exception):
    """The converter's result is not what the device expects; nothing was shipped."""
