"""``geoseg.toml`` beside the data: flags that are always the same.

What stands there counts where a flag is not given. The file may come with data from
anywhere, so it chooses how, and never what is read, written, fetched or allowed: flags
that name paths or give leave are refused, a model and a legend are named by the names
of those that are installed, and a file of another user is not read.
"""

from __future__ import annotations

import os
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geoseg.cli.completion import PathOrUrl
from geoseg.cli.context import DEFAULTS
from geoseg.errors import InputError, brief

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FILE = "geoseg.toml"
_SYSTEM = 0
"""The user whose files are everybody's."""
_LARGEST = 100_000
"""Bytes of the file."""
_NAMED = frozenset(("model", "mask-model", "legend"))
"""Flags that take a name here, and not a path."""
_NO_DATA = frozenset(("sample", "completion"))
"""Commands whose first argument is nothing that they read."""
_NEVER = frozenset(
    (
        *(
            "allow-external-references",
            "allow-missing",
            "driver",
            "encoder-weights",
            "overwrite",
        ),
        *(
            "force",
            "restart",
            "scheduler",
            "run-dir",
            "output",
            "band",
            "debug",
            "input",
        ),
        *("help", "json", "json-progress", "quiet", "verbose", "from", "source"),
        *("search", "log", "trace", "tls-ca", "tls-cert", "tls-key"),
    )
)
"""Flags that name paths, give leave, or are about one call."""


def take_defaults(
    ctx: click.Context, name: str, command: click.Command, args: list[str]
) -> None:
    """Take the flags that stand in the file beside the data of a command.

    Args:
        ctx: The group's context, whose defaults the command's takes.
        name: The command.
        command: The same.
        args: What was given to it.

    Raises:
        InputError: The file holds what cannot stand there.

    """
    path = None if ctx.resilient_parsing else _beside(ctx, name, command, args)
    if path is None or not path.is_file():
        return
    if not _is_own(path):
        click.echo(f"geoseg: warning: {path} is another user's: not read", err=True)
        return
    found = dict(_flags(path, name, _known(ctx)))
    own = {flag: each for flag, each in _options(command).items() if flag in found}
    if own:
        values = {str(p.name): _value(p, found[flag]) for flag, p in own.items()}
        ctx.default_map = {name: values}
        ctx.meta[DEFAULTS] = (str(path), {flag: found[flag] for flag in own})


def _beside(
    ctx: click.Context, name: str, command: click.Command, args: list[str]
) -> Path | None:
    """Name the file that would be beside what a command reads first."""
    argument = next((p for p in command.params if isinstance(p, click.Argument)), None)
    if isinstance(command, click.Group) or argument is None or name in _NO_DATA:
        return None
    apart = click.Context(ctx.command)
    try:
        trial = command.make_context(name, [*args], apart, resilient_parsing=True)
    except click.UsageError:  # the command will say what is wrong
        return None
    given = trial.params.get(str(argument.name))
    first = str(next(iter(given), "") if isinstance(given, tuple) else given or "")
    if not first or "://" in first:
        return None
    path = Path(first)
    return (path if path.is_dir() else path.parent) / FILE


def _is_own(path: Path) -> bool:
    """Return whether a file is the user's own, or the system's."""
    if not hasattr(os, "getuid"):
        return True  # Windows has no owners of that kind
    return path.stat().st_uid in {os.getuid(), _SYSTEM}


def _flags(
    path: Path, name: str, known: Mapping[str, frozenset[str]]
) -> Iterator[tuple[str, Any]]:
    """Give the flags for a command: those for all, then its own table."""
    content = _content(path)
    tables = {key: each for key, each in content.items() if isinstance(each, dict)}
    every = frozenset(flag for flags in known.values() for flag in flags)
    for table, flags in tables.items():
        if table not in known:
            raise InputError(
                f"{path} has a table [{table}], and there is no such command"
                + (_meant(table, known) or f"; there are {', '.join(known)}")
            )
        for flag, value in flags.items():
            _check(path, flag, value, known[table])
    for flag, value in content.items():
        if flag not in tables:
            _check(path, flag, value, every)
            yield flag, value
    yield from tables.get(name, {}).items()


def _content(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise InputError(f"{path} is longer than {_LARGEST:,} bytes; shorten it")
        return tomllib.loads(text.decode("utf-8"))
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read as TOML ({error})") from error


def _check(path: Path, flag: str, value: object, known: frozenset[str]) -> None:
    """Refuse what may not stand in the file."""
    if flag in _NEVER:
        raise InputError(
            f"{path} says {flag}, which is said on the command line alone: a file "
            f"beside data chooses how it is read, not what is read, written or allowed"
        )
    if flag not in known:
        raise InputError(
            f"{path} says {flag}, which is no flag that a file beside data may set"
            f"{_meant(flag, known)}"
        )
    texts = value if isinstance(value, list) else [value]
    if flag in _NAMED and any({"/", "\\", ":", "."} & set(str(e)) for e in texts):
        raise InputError(
            f"{path} says {flag} = {brief(value)}; a file beside data names one that "
            f"is installed or ships, and no path"
        )


def _meant(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def _known(ctx: click.Context) -> dict[str, frozenset[str]]:
    """Name the flags of each command that may stand in the file."""
    assert isinstance(ctx.command, click.Group)  # noqa: S101  # the group of commands
    names = ctx.command.list_commands(ctx)
    commands = {name: ctx.command.get_command(ctx, name) for name in names}
    return {
        name: frozenset(_options(each))
        for name, each in commands.items()
        if each is not None and not isinstance(each, click.Group)
    }


def _options(command: click.Command) -> dict[str, click.Option]:
    """Give the options of a command that may stand in the file, by their flags."""
    found = {
        max(each.opts, key=len).lstrip("-"): each
        for each in command.params
        if isinstance(each, click.Option)
    }
    return {
        flag: each
        for flag, each in found.items()
        if flag in _NAMED or not (flag in _NEVER or _is_path(each))
    }


def _is_path(each: click.Option) -> bool:
    return isinstance(each.type, click.Path | PathOrUrl)


def _value(option: click.Option, value: Any) -> Any:  # noqa: ANN401  # TOML's
    """Write a value as the command line would have it."""
    if option.multiple:
        return [str(each) for each in (value if isinstance(value, list) else [value])]
    if isinstance(value, list):
        return ",".join(map(str, value))
    return value if isinstance(value, bool) else str(value)
