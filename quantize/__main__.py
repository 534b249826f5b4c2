"""`python -m quantize …`."""

from train.start import load_tensorflow

if __name__ == "__main__":
    load_tensorflow()
    from quantize.cli import main

    main()
