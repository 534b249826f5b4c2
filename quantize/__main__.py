"""`python -m quantize …`."""

from train.start import load_tensorflow


def main() -> None:
    """The command, TensorFlow loaded."""
    load_tensorflow()
    from quantize.cli import main as command

    command()


if __name__ == "__main__":
    main()
