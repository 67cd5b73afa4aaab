"""Flags made of the fields of options, and those that several commands share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

import rich_click as click

import geoseg
from geoseg.cli import values
from geoseg.cli.completion import fields as columns
from geoseg.cli.completion import formats, legends, models, path_or_url
from geoseg.cli.context import DEBUG, JSON_PROGRESS, VERBOSE
from geoseg.cli.log import keep_log
from geoseg.cli.spelling import flag_of, spelled
from geoseg.options import About, Numbers, about, default_of, option

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from dataclasses import Field
    from pathlib import Path

    Command = TypeVar("Command", bound=Callable[..., None])
    Chosen = TypeVar("Chosen")

_HELD: dict[str, dict[str, Any]] = {
    "": {},
    "field": {"shell_complete": columns},
    "format": {"shell_complete": formats},
    "legend": {"shell_complete": legends},
    "model": {"shell_complete": models},
    "path": {"type": values.a_path},
    "path_or_url": {"type": path_or_url},
}
"""How a shell completes what an option holds."""
_READ: dict[Any, dict[str, Any]] = {
    tuple[tuple[str, str], ...]: {"callback": values.named_files},
    tuple[tuple[str, float], ...]: {"callback": values.named_numbers},
    Mapping[str, str]: {"callback": values.pairs},
    Mapping[str, float]: {"callback": values.pairs_of_numbers},
    Numbers: {"callback": values.band_numbers},
    tuple[int, int, int, int] | None: {"type": int, "nargs": 4},
    tuple[float, ...]: {"callback": values.some_numbers},
    tuple[float, float] | None: {"type": float, "nargs": 2},
    tuple[float, float, float, float] | None: {"callback": values.numbers(4)},
    float | tuple[float, float] | None: {"callback": values.numbers(1, 2)},
    float | Literal["none"] | None: {"callback": values.number_or_none},
}
"""How what is written becomes a value, where click does not know."""


def flags_of(
    kind: type,
    *,
    leave_out: Sequence[str] = (),
    required: Sequence[str] = (),
    **defaults: object,
) -> Callable[[Command], Command]:
    """Add a flag for each field of a class of options, and of those inside it.

    Flags stand in the order of the fields, those of a class under its heading.

    Args:
        kind: The class.
        leave_out: Fields that get no flag.
        required: Flags that have to be given.
        defaults: What fields are by default where that is not the class's.

    """

    def add_all(command: Command) -> Command:
        for owner, each in reversed(_declared(kind)):
            if each.name not in leave_out:
                more: dict[str, object] = {}
                if each.name in required:
                    more["required"] = True
                if each.name in defaults:
                    more["default"] = defaults[each.name]
                command = _flag(owner, each, **more)(command)
        return command

    return add_all


def options_of(kind: type[Chosen], flags: dict[str, Any]) -> Chosen:
    """Take the values of the flags that `flags_of` added out of a command's."""
    inside = get_type_hints(kind)
    chosen = {
        each.name: (
            options_of(inside[each.name], flags)
            if about(each) is None
            else flags.pop(each.name)
        )
        for each in fields(kind)  # type: ignore[arg-type]  # options are dataclasses
        if each.name in flags
        or (about(each) is None and is_dataclass(inside[each.name]))
    }
    return kind(**chosen)


def _declared(kind: type) -> list[tuple[type, Field[Any]]]:
    """List the fields that are options with the class that declares each."""
    hints, found = get_type_hints(kind), []
    owners = [each for each in kind.__mro__ if is_dataclass(each)]
    for owner in owners[1:] + owners[:1]:
        own = vars(owner).get("__annotations__", {})
        for each in (one for one in fields(owner) if one.name in own):
            if about(each) is not None:
                found.append((owner, each))
            elif is_dataclass(hints[each.name]):
                found += _declared(hints[each.name])
    return found


def _flag(
    owner: type,
    each: Field[Any],
    **more: Any,  # noqa: ANN401  # as click.option() does
) -> Callable[[Command], Command]:
    """Make the flag of a field of the class that declares it."""
    declared, hint = about(each), get_type_hints(owner)[each.name]
    assert declared is not None  # noqa: S101  # only such are declared
    how = _written(hint, declared, default_of(each)) | _HELD[declared.holds] | more
    if declared.metavar:
        how["metavar"] = declared.metavar
    text = spelled(declared.text)
    if declared.otherwise:
        text += f" [default: {declared.otherwise}]"
    made: Callable[[Command], Command] = click.option(
        flag_of(declared.flag or each.name),
        *([f"-{declared.short}"] if declared.short else []),
        each.name,
        help=text,
        panel=declared.heading or owner.HEADING,  # type: ignore[attr-defined]  # each class of options has one
        **how,
    )
    return made


def _written(hint: Any, declared: About, default: object) -> dict[str, Any]:  # noqa: ANN401  # any type
    """Say how an option's value is written, by its type."""
    kinds = set(get_args(hint)) - {type(None)} or {hint}
    nested: Any = next(filter(is_dataclass, kinds), None)
    if hint is bool:
        return {"is_flag": True}
    if nested is not None:
        return {"is_flag": True, "callback": lambda _, __, on: nested() if on else None}
    if hint in _READ:
        return {**_READ[hint], "multiple": declared.repeats}
    shows = not declared.otherwise and default not in {(), ""}
    # None would be a value to click, and nothing that is required missing.
    shown = {} if default is None else {"default": default, "show_default": shows}
    return shown | (_number(kinds, declared) or _text(hint, declared, default))


def _number(kinds: set[Any], declared: About) -> dict[str, Any]:
    """Say how a number is written; nothing of what is none."""
    kind = next((each for each in (float, int) if each in kinds), None)
    if kind is None:
        return {}
    if declared.least is None and declared.most is None:
        return {"type": kind}
    bounded = click.IntRange if kind is int else click.FloatRange
    shown = "INTEGER" if kind is int else "NUMBER"
    return {"type": bounded(declared.least, declared.most), "metavar": shown}


def _text(hint: Any, declared: About, default: object) -> dict[str, Any]:  # noqa: ANN401  # any type
    """Say how a choice, a text, or names with commas between are written."""
    choice = next(
        (k for k in (hint, *get_args(hint)) if get_origin(k) is Literal), None
    )
    if choice is not None:
        return {
            "type": values.NearChoice(get_args(choice)),
            "multiple": declared.repeats,
        }
    if isinstance(default, tuple) and not declared.repeats:
        return {"default": ",".join(default), "callback": values.names}
    return {"multiple": declared.repeats}


def debuggable(command: Command) -> Command:
    """Add --debug, which the group looks for when something fails."""
    return click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        callback=_remember(DEBUG),
        help="Show the traceback when something fails.",
    )(command)


def _allow_drivers(
    ctx: click.Context, _: click.Parameter, names: tuple[str, ...]
) -> None:
    if names:
        ctx.with_resource(geoseg.allow_drivers(*names))


def opening(command: Command) -> Command:
    """Add --driver to a command that opens what people hand in."""
    return click.option(
        "--driver",
        multiple=True,
        metavar="NAME",
        expose_value=False,
        callback=_allow_drivers,
        help="Open files by this driver of GDAL, too, whose files may name others in "
        "the folders named: ISIS3; repeatable.",
    )(command)


def _keep_log(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is not None and not ctx.resilient_parsing:
        keep_log(ctx, path)


def _remember(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """Make a callback that keeps a flag for whoever looks for it in the context."""

    def keep(ctx: click.Context, _: click.Parameter, value: Any) -> None:  # noqa: ANN401  # click's signature
        ctx.meta[name] = value

    return keep


def reporting(command: Command) -> Command:
    """Add --quiet, --verbose, --log, --json, --json-progress and --debug."""
    for add in (
        debuggable,
        click.option(
            "--json-progress",
            is_flag=True,
            is_eager=True,  # what is wrong with another flag is said in JSON, too
            expose_value=False,
            callback=_remember(JSON_PROGRESS),
            help="Print one JSON object a line on standard error as the job gets on.",
        ),
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            help="Print one JSON object on standard output, all else on the error one.",
        ),
        click.option(
            "--verbose",
            "-v",
            count=True,
            expose_value=False,
            callback=_remember(VERBOSE),
            help="Print a log of what is done; twice for more of it.",
        ),
        click.option(
            "--log",
            type=values.a_path,
            metavar="FILE",
            expose_value=False,
            callback=_keep_log,
            help="Add a log of what is done to this file; of more of it with -vv.",
        ),
        click.option(
            "--quiet",
            "-q",
            is_flag=True,
            help="Print nothing but warnings and errors.",
        ),
    ):
        command = add(command)
    return command


def writing(
    text: str,
    *,
    required: bool = True,
    **more: Any,  # noqa: ANN401  # as option() does
) -> Callable[[Command], Command]:
    """Add -o, which says where a command writes.

    Args:
        text: What it writes.
        required: Whether that has to be said.
        more: What is in `About`.

    """

    @dataclass(frozen=True)
    class Output:
        """Where it writes."""

        HEADING: ClassVar[str] = "Where"

        output: str | None = option(None, text, short="o", **({"holds": "path"} | more))

    return flags_of(Output, required=("output",) if required else ())
