"""This package compared with its alternatives, on one machine, in one run."""
