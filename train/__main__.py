"""`python -m train fit` and `python -m train evaluate`."""

from train.start import load_backend

if __name__ == "__main__":
    load_backend()
    from train.cli import main

    main()
