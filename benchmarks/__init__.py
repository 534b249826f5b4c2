"""This package beside what its users would pick instead, on one machine, in one run."""
