"""Standard output: tables with lines and colours on a terminal, plain text elsewhere.

What goes into a file or a pipe has no box around it, no blanks at the end of a line,
nothing cut off at 80 columns, and no patch of a colour that nobody will see.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager, suppress
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.console import Console
from rich.text import Text

from geoseg.cli.spelling import spelled_here
from geoseg.errors import DiskError, json_text, visible, without_signatures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import ConsoleOptions, RenderableType
    from rich.segment import Segment
    from rich.table import Column, Table

_UNSEEN = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What JSON leaves as it is, and terminals obey."""
_WIDE = 1000
"""Columns of plain text: nothing is wrapped."""


class Paper(Console):
    """A console that shows control characters of texts and does not send them.

    They come from names in files and from servers, and a terminal would obey them. Nor
    does it take a part of a name between colons, as in ``s2:b:``, for a picture.
    """

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401  # those of rich
        """Take what rich's console takes."""
        super().__init__(emoji=False, **settings)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Give what is to be printed, piece by piece; rich's own codes stay."""
        for segment in super().render(renderable, options):
            plain = segment.control or segment.text.isprintable()
            yield segment if plain else segment._replace(text=visible(segment.text))


@contextmanager
def _printing() -> Iterator[None]:
    """Print a result: where nobody reads on, that is no reason to fail.

    Raises:
        DiskError: It could not be written; what was made is there.

    """
    try:
        yield
    except BrokenPipeError:  # as in `geoseg info scene.tif | head -1`
        with suppress(OSError, ValueError):  # a stream that is no file
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise DiskError(
            f"the job is done and its files are complete, but the result could not be "
            f"printed ({error.strerror}); look at where standard output goes"
        ) from error


def say(text: str, *, err: bool = False) -> None:
    """Print a text from anywhere, but for secrets and what a terminal would obey."""
    with _printing():
        click.echo(visible(without_signatures(spelled_here(text))), err=err)


def show_json(value: object) -> None:
    """Print a value, or JSON that is written already; what terminals obey is escaped.

    Strings are the same for whoever reads the JSON.
    """
    text = value if isinstance(value, str) else ""
    text = text or json_text(value)
    with _printing():
        click.echo(_UNSEEN.sub(lambda each: f"\\u{ord(each[0]):04x}", text))


def show(table: Table) -> None:
    """Print a table as the output takes it, without columns that hold nothing."""
    console = Paper(highlight=False)
    kept = [column for column in table.columns if _holds_anything(column)]
    table.columns = [
        replace(column, _index=index)  # rich measures columns by it
        for index, column in enumerate(kept)
    ]
    if console.is_terminal and not console.is_dumb_terminal:
        with _printing():
            console.print(table)
        return
    table.box, table.pad_edge = None, False
    for column in table.columns:
        column.no_wrap = True
    plain = Paper(file=StringIO(), width=_WIDE, highlight=False, color_system=None)
    with plain.capture() as text:
        plain.print(table)
    with _printing():
        for line in text.get().splitlines():
            click.echo(line.rstrip())


def show_line(markup: str) -> None:
    """Print a line as it is, however long, with rich's markup."""
    with _printing():
        Paper(highlight=False).print(spelled_here(markup), soft_wrap=True)


def swatch(colour: str) -> Text:
    """Give a patch of a colour, ``#rrggbb``; nothing where it cannot be seen."""
    console = Paper()
    seen = console.color_system is not None and not console.no_color
    return Text("██" if seen else "", style=colour)


def _holds_anything(column: Column) -> bool:
    return any(str(text) for text in (column.header, *column.cells))
