"""`python -m quantize …`."""

from quantize.watched import watched


def main() -> None:
    """Run the command in a child process; see `watched`."""
    watched(_command)


def _command() -> None:
    from train.start import load_tensorflow

    load_tensorflow()
    from quantize.cli import main as command

    command()


if __name__ == "__main__":
    main()
