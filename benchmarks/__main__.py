"""`python -m benchmarks`, from a checkout."""

from benchmarks.cli import main

main()
