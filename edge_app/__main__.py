"""`edge-cxr`, and `python -m edge_app`."""

import gc
import os


def main() -> None:
    """The command line, after what must be settled before anything is imported."""
    gc.set_threshold(50_000)  # start-up makes many objects and no garbage
    # numpy's threads would cost a third of a short process's CPU time; nothing here needs them.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from edge_app.cli.app import main as run

    run()


if __name__ == "__main__":
    main()
