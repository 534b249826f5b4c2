"""The result of a study, as a table on the terminal, as JSON and as Markdown in a document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_app.core.about import DISCLAIMER
from edge_app.core.files import write_whole
from quantize.card import markdown_table
from quantize.errors import ConversionError


@dataclass(frozen=True)
class Result:
    """One measurement.

    Attributes:
        name: of its files, and of its place in a document.
        command: that makes it, with RUN and DATA for the paths.
        caption: what was measured, on what.
        header, rows: the table; its first column is text.
        content: the same and more as plain JSON.
        failure: one line; the command then ends with the exit code of a gate.
    """

    name: str
    command: str
    caption: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    content: dict[str, Any]
    failure: str | None = None

    def noting(self, notes: Sequence[str]) -> Result:
        """This result with notes on its images, in the caption and in `content`."""
        if not notes:
            return self
        caption = " ".join([self.caption, *(f"Note: {note}." for note in notes)])
        return replace(self, caption=caption, content={**self.content, "notes": list(notes)})

    def print(self, console: Console) -> None:
        """The caption, the table and the disclaimer."""
        table = Table(box=None, header_style="bold")
        for place, column in enumerate(self.header):
            table.add_column(column, justify="right" if place else "left")
        for row in self.rows:
            table.add_row(*map(Text, row))
        console.print(Text(self.caption))
        console.print(table)
        console.print(Text(DISCLAIMER))

    @property
    def markdown(self) -> str:
        """The command, the caption and the table, for a document."""
        return "\n\n".join(
            [f"`{self.command}`", self.caption, markdown_table(self.header, self.rows)]
        )

    def write(self, folder: Path) -> None:
        """`name`.json and `name`.md."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {"command": self.command, "disclaimer": DISCLAIMER, **self.content}
        text = json.dumps(content, indent=1, allow_nan=False)
        write_whole(folder / f"{self.name}.json", f"{text}\n".encode())
        write_whole(folder / f"{self.name}.md", f"{self.markdown}\n\n{DISCLAIMER}\n".encode())

    def insert(self, document: Path) -> None:
        """Put the Markdown where a document has a pair of comments for it, replacing what is there.

        Raises:
            ConversionError: it cannot be read, or has no such comments.
        """
        begin, end = f"<!-- {self.name} -->", f"<!-- end of {self.name} -->"
        try:
            text = document.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise ConversionError(f"{document}: cannot be read: {error}") from None
        before, found, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not (found and ended):
            raise ConversionError(f"{document}: has no place for the table: {begin} … {end}")
        write_whole(document, f"{before}{begin}\n{self.markdown}\n{end}{after}".encode())
