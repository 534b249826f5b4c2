"""The package's version and disclaimer."""

__version__ = "0.2.0"

DISCLAIMER = "Research software, not a medical device: a score is not a diagnosis."
