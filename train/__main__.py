"""`python -m train fit` and `python -m train evaluate`."""

from train.start import load_tensorflow

if __name__ == "__main__":
    load_tensorflow()
    from train.cli import main

    main()
