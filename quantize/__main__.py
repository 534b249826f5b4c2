"""`python -m quantize …`."""

from quantize.child_process import run_in_child


def main() -> None:
    """Run the command in a child process; see `run_in_child`."""
    run_in_child(_command)


def _command() -> None:
    from train.start import load_tensorflow

    load_tensorflow()
    from quantize.cli import main as command

    command()


if __name__ == "__main__":
    main()
