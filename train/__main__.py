"""`python -m train fit` and `python -m train evaluate`."""

from train.start import load_backend


def main() -> None:
    """The command, its backend loaded."""
    load_backend()
    from train.cli import main as command

    command()


if __name__ == "__main__":
    main()
