"""How many images of a batch were answered, refused, blank or withheld."""

from __future__ import annotations

from edge_app.core.errors import EXIT_DONE, EXIT_INPUT, EXIT_INTERRUPTED, EXIT_MODEL


class Tally:
    """The results of a batch.

    Attributes:
        answered: images that were read, including blank ones and those with withheld findings.
        refused: images that could not be read.
        shortages: refused images for which the machine lacked memory, descriptors or processes.
        blank: images with nearly one gray level.
        withheld: images whose findings the input check withheld.
        interrupted: whether Ctrl-C ended the batch.
    """

    def __init__(self) -> None:
        self.answered = self.refused = self.shortages = self.blank = self.withheld = 0
        self.interrupted = False

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return EXIT_INTERRUPTED
        if self.shortages:
            return EXIT_MODEL
        return EXIT_INPUT if self.refused or self.blank or self.withheld else EXIT_DONE
