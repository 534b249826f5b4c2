"""How many images of a batch were answered, refused, blank or withheld."""

from __future__ import annotations

from edge_app.core.errors import EXIT_DONE, EXIT_INPUT, EXIT_INTERRUPTED, EXIT_MODEL


class Tally:
    """How a batch went.

    Attributes:
        answered: images that were read; some of these may be blank, or have withheld findings.
        refused: images that could not be read.
        wanting: those of them that the machine had too little of something for.
        interrupted: whether Ctrl-C ended the batch.
    """

    def __init__(self) -> None:
        self.answered = self.refused = self.wanting = self.blank = self.withheld = 0
        self.interrupted = False

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return EXIT_INTERRUPTED
        if self.wanting:
            return EXIT_MODEL
        return EXIT_INPUT if self.refused or self.blank or self.withheld else EXIT_DONE
