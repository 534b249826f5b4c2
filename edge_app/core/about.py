"""What the package says of itself, wherever it speaks."""

__version__ = "0.2.0"

DISCLAIMER = "Research software, not a medical device: a score is not a diagnosis."
