"""`python -m quantize …`."""

from quantize.watched import watched


def main() -> None:
    """The command, in a process that waits for it."""
    watched(_command)


def _command() -> None:
    from train.start import load_tensorflow

    load_tensorflow()
    from quantize.cli import main as command

    command()


if __name__ == "__main__":
    main()
