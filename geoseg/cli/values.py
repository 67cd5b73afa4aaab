"""What people write behind a flag, as values: click's callbacks."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geoseg.errors import InputError
from geoseg.options import counted_up

if TYPE_CHECKING:
    from collections.abc import Callable


class NearChoice(click.Choice[str]):
    """A choice that names the word that was meant, where a word is nearly one."""

    def convert(
        self,
        value: Any,  # noqa: ANN401  # click's signature
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str:
        """Take a word that can be chosen."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            near = get_close_matches(str(value).lower(), self.choices, 1)
            if near:
                vars(error)["message"] = f"{error.message} Did you mean '{near[0]}'?"
            raise


class _DiskPath(click.Path):
    """A path on a disk; of a URL, pathlib would make a folder named ``s3:``."""

    def convert(
        self,
        value: Any,  # noqa: ANN401  # click's signature
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # noqa: ANN401  # the same
        """Refuse a URL, and nothing, which would be the folder one is in."""
        if not str(value):
            raise InputError("a path is empty; name a file or a folder")
        if "://" in str(value):
            raise InputError(
                f"{value} is no path on a disk, which is what is needed here; copy "
                f"the file, or name a path on a disk"
            )
        return super().convert(value, param, ctx)


# Paths are checked by the library, so that Python and the command line give one
# and the same sentence.
a_path = _DiskPath(path_type=Path)
path_text = click.Path()
"""A raster that may also be a URL or a path in an archive, as text."""


def names(_: click.Context, __: click.Parameter, value: str) -> tuple[str, ...]:
    """Read NAME,NAME."""
    return tuple(name for name in value.split(",") if name)


def pairs(
    _: click.Context, parameter: click.Parameter, value: str | None
) -> dict[str, str]:
    """Read ``this=that,this=that``; what is behind a ``=`` may be empty."""
    found: dict[str, str] = {}
    for pair in filter(None, (value or "").split(",")):
        name, equals, target = (part.strip() for part in pair.partition("="))
        if not equals or not name or name in found:
            raise click.BadParameter(
                f"{pair!r} is not written {parameter.metavar}, each name once"
            )
        found[name] = target
    return found


def pairs_of_numbers(
    ctx: click.Context, parameter: click.Parameter, value: str | None
) -> dict[str, float]:
    """Read ``name=0.8,...``."""
    try:
        return {k: float(v) for k, v in pairs(ctx, parameter, value).items()}
    except ValueError:
        raise click.BadParameter("write name=number,name=number") from None


def named_numbers(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, float], ...]:
    """Read NAME=VALUE."""
    pairs = [value.partition("=") for value in values]
    try:
        return tuple((name, float(number)) for name, _, number in pairs)
    except ValueError as error:
        raise click.BadParameter(f"{', '.join(values)}: not NAME=VALUE") from error


def some_numbers(
    _: click.Context, __: click.Parameter, value: str | None
) -> tuple[float, ...]:
    """Read numbers with commas between them, however many."""
    try:
        return tuple(float(part) for part in value.split(",")) if value else ()
    except ValueError as error:
        raise click.BadParameter(
            f"{value!r} is not numbers with commas between them"
        ) from error


def numbers(*counts: int) -> Callable[..., float | tuple[float, ...] | None]:
    """Read numbers with commas between: one as itself, several as a tuple."""

    def read(
        _: click.Context, __: click.Parameter, value: str | None
    ) -> float | tuple[float, ...] | None:
        if value is None:
            return None
        try:
            found = tuple(float(part) for part in value.split(","))
        except ValueError:
            found = ()
        if len(found) not in counts:
            wanted = " or ".join(map(str, counts))
            raise click.BadParameter(f"{value!r} is not {wanted} numbers with commas")
        return found[0] if len(found) == 1 else found

    return read


def band_numbers(
    _: click.Context, __: click.Parameter, value: str | None
) -> tuple[int, ...] | str:
    """Read 1,2,3, or 1-64, or whose features bands are."""
    if value in {"alphaearth", "tessera"}:
        return value
    found = [] if value is None else value.replace("#", "").split(",")
    numbers = [number for each in found for number in counted_up(each.strip())]
    if not all(number.isdecimal() for number in numbers):
        raise click.BadParameter(
            f"{value!r}; write numbers, such as 1,2,3 or 1-64, or alphaearth or "
            f"tessera; a band in a file of its own is named with --band NAME=FILE"
        )
    return tuple(map(int, numbers))


def named_files(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Read NAME=FILE."""
    return tuple(map(_named_file, values))


def _named_file(value: str) -> tuple[str, str]:
    name, _, file = value.partition("=")
    if not (name and file):
        raise click.BadParameter(f"{value!r}; write a name and its file, NAME=FILE")
    return name, file


def number_or_none(
    _: click.Context, __: click.Parameter, value: str | None
) -> float | str | None:
    """Read a number, or ``none``."""
    if value in {None, "none"}:
        return value
    try:
        return float(str(value))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is neither a number nor none") from error
