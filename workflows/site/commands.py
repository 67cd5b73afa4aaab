"""Markdown's extension that writes every command and its flags, from the code.

mkdocs.yml names it; a line `::: commands` becomes, for each command, what it does and a
table of flags for each heading of its `--help`.
"""

import inspect
from collections.abc import Iterator
from itertools import groupby

import click
from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor

from geoseg.cli import main

MARK = "::: commands"


def pages(command: click.Command, context: click.Context) -> Iterator[str]:
    """Give the Markdown of a command, and of those below it."""
    yield f"{'#' * (context.command_path.count(' ') + 2)} {context.command_path}"
    yield from prose(command)
    if not isinstance(command, click.Group):
        usage = " ".join(command.collect_usage_pieces(context))
        yield f"    {context.command_path} {usage}"
    yield from flags(command, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if (below := command.get_command(context, name)) and not below.hidden:
                yield from pages(below, below.context_class(below, context, name))


def prose(command: click.Command) -> Iterator[str]:
    """Give the paragraphs of a command's help; those not to be wrapped as code."""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        head, *rest = paragraph.removeprefix("\b\n").splitlines()
        if paragraph.startswith("\b"):
            yield head
            yield "\n".join(f"    {line.removeprefix('  ')}" for line in rest)
        else:
            yield escaped(" ".join([head, *rest]))


def flags(command: click.Command, context: click.Context) -> Iterator[str]:
    """Give a table for each heading of a command's flags, in their order."""
    options = [
        each
        for each in command.get_params(context)
        if isinstance(each, click.Option) and not each.hidden
    ]
    order = list(dict.fromkeys(map(heading, options)))
    options.sort(key=lambda each: order.index(heading(each)))
    for name, group in groupby(options, heading):
        records = [
            record for each in group if (record := each.get_help_record(context))
        ]
        rows = [f"| `{flag}` | {escaped(text)} |" for flag, text in records]
        yield "\n".join([f"| {name} | |", "|---|---|", *rows]).replace("  [", " [")


def heading(option: click.Option) -> str:
    """Name the heading under which a flag stands."""
    return getattr(option, "panel", None) or "Options"


def escaped(text: str) -> str:
    """Write text in which nothing is Markdown's or HTML's."""
    for special in "\\`*_[|":
        text = text.replace(special, f"\\{special}")
    return text.replace("<", "&lt;")


class _Commands(Preprocessor):
    def run(self, lines: list[str]) -> list[str]:
        if MARK not in lines:
            return lines
        at = lines.index(MARK)
        context = main.context_class(main, info_name="geoseg")
        written = "\n\n".join(pages(main, context)).splitlines()
        return [*lines[:at], *written, *lines[at + 1 :]]


class Commands(Extension):
    """Makes a page of the commands."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  # Markdown's name
        """Come before tables and code are looked for."""
        md.preprocessors.register(_Commands(md), "commands", 100)


def makeExtension(**settings: object) -> Commands:  # noqa: N802  # Markdown's name
    """Give the extension, as Markdown asks for it."""
    return Commands(**settings)
