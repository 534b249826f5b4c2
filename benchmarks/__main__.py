"""`python -m benchmarks`, from a checkout."""

from train.start import load_tensorflow

if __name__ == "__main__":
    load_tensorflow()
    from benchmarks.cli import main

    main()
