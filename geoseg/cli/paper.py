"""Standard output: tables with lines and colours on a terminal, plain text elsewhere.

What goes into a file or a pipe has no box around it, no blanks at the end of a line,
nothing cut off at 80 columns, and no patch of a colour that nobody will see.
"""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from rich.table import Column, Table

_WIDE = 1000
"""Columns of plain text: nothing is wrapped."""


def show(table: Table) -> None:
    """Print a table as the output takes it, without columns that hold nothing."""
    console = Console(highlight=False)
    kept = [column for column in table.columns if _holds_anything(column)]
    table.columns = [
        replace(column, _index=index)  # rich measures columns by it
        for index, column in enumerate(kept)
    ]
    if console.is_terminal and not console.is_dumb_terminal:
        console.print(table)
        return
    table.box, table.pad_edge = None, False
    for column in table.columns:
        column.no_wrap = True
    plain = Console(file=StringIO(), width=_WIDE, highlight=False, color_system=None)
    with plain.capture() as text:
        plain.print(table)
    for line in text.get().splitlines():
        click.echo(line.rstrip())


def show_line(markup: str) -> None:
    """Print a line as it is, however long, with rich's markup."""
    Console(highlight=False).print(markup, soft_wrap=True)


def swatch(colour: str) -> Text:
    """Give a patch of a colour, ``#rrggbb``; nothing where it cannot be seen."""
    console = Console()
    seen = console.color_system is not None and not console.no_color
    return Text("██" if seen else "", style=colour)


def _holds_anything(column: Column) -> bool:
    return any(str(text) for text in (column.header, *column.cells))
