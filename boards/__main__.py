"""`python -m boards`."""


def main() -> None:
    """The command, if its packages are here."""
    try:
        from boards.cli import main as command
    except ModuleNotFoundError as error:
        raise SystemExit(
            f"boards: {error}: make .venv/workstation/installed, "
            "then .venv/workstation/bin/python -m boards"
        ) from None
    command()


if __name__ == "__main__":
    main()
