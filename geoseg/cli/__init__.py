"""The command line: a lazy group of commands, and the one table of exit statuses."""

from __future__ import annotations

import errno
import gc
import importlib
import json
import logging
import os
import re
import signal
import sys
import warnings
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

import click

from geoseg.cli.context import ENDED, JSON_PROGRESS, KEPT, flag, leave
from geoseg.cli.defaults import take_defaults
from geoseg.cli.log import LOG
from geoseg.cli.memory import lacks_memory, no_memory
from geoseg.cli.signals import Stopped, end_quietly, end_soon, signals_raised
from geoseg.cli.spelling import spelled
from geoseg.cli.version import OF_VERSION, show_version
from geoseg.errors import (
    STREAM,
    GeosegError,
    InputError,
    brief,
    fault_of_path,
    is_stream,
    visible,
)
from geoseg.errors import sentence as shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COMMANDS = {
    "segment": "Turn a scene into a land-cover map: raster and polygons.",
    "plan": "Forecast what a run would take, without running it.",
    "status": "Say how far a run is that goes on elsewhere, or has stopped.",
    "view": "Show a map's page in a browser, at full resolution.",
    "vectorize": "Turn a class map into seam-free polygons.",
    "search": "Find imagery by place and time.",
    "composite": "Make one cloudless image of many dates.",
    "info": "Show what geoseg sees in imagery.",
    "verify": "Compare tiles with a window of the scene in one piece.",
    "evaluate": "Measure a map against a reference.",
    "areas": "Measure the classes of a map, also by districts.",
    "change": "Say what became of what between two maps.",
    "relabel": "Write a map in another legend.",
    "sample-points": "Draw points of a map to be labelled.",
    "sample": "Write a scene, labels and an area to try the commands on.",
    "suggest": "Say where the next labels teach a model most.",
    "tile": "Cut labelled scenes into chips, to train elsewhere.",
    "train": "Train a model on labelled scenes.",
    "live": "Map a scene anew each time that its labels are saved.",
    "models": "List the models, or show what one needs and gives.",
    "completion": "Make a shell complete commands, flags, values and files.",
}
"""Each command's module in this package, and its one line of help."""
_MISUSED = 2
_MADE = 50_000
"""How many more objects there are before Python looks for garbage."""
_CARRIES_ON = "stopped; the same command carries on from here"
_BEGINS_ANEW = "stopped before anything was kept; the same command begins anew"
_ONE_OF = re.compile(r"\((Did you mean one of: .*\?)\)")
"""What click has in brackets of its own."""
_NO_PATH = {errno.ENAMETOOLONG, errno.ELOOP}
"""Why the system looks at no file, whoever asks: a name too long, a link to itself."""


class LazyGroup(click.Group):
    """A group that imports a command when it is called, not when it is listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Name the commands, in the order of a user's way through them."""
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is named; name the one that was meant, if none is."""
        try:
            name, command, rest = super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(
                error.command_name, possibilities=COMMANDS, ctx=ctx
            ) from None
        if name is not None and command is not None:
            take_defaults(ctx, name, command, rest)
        return name, command, rest

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # the same
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"geoseg.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        command.short_help = COMMANDS[cmd_name]
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, COMMANDS[name]) for name in self.list_commands(ctx)]
            )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse what no command takes, whichever argument it is."""
        with _misuse_said():
            for text in args:
                if fault := fault_of_path(text):
                    raise click.UsageError(f"{visible(text)} cannot be used: {fault}")
                if is_stream(text) and not text.startswith("/dev/"):
                    raise click.UsageError(f"{visible(text)} {STREAM}")
            rest = super().parse_args(ctx, args)
            asked, as_json = ctx.params.pop("version"), ctx.params.pop("as_json")
            if asked:
                show_version(as_json=as_json)
                ctx.exit()
            if as_json:
                raise click.UsageError("--json stands behind a command, or --version")
            return rest

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # click's signature
        """Run a command; turn what goes wrong into a sentence and a status."""
        if isinstance(ctx.obj, _LastWords):
            ctx.obj.meta = ctx.meta
        try:
            with warnings.catch_warnings(), signals_raised(), _misuse_said():
                # What libraries mutter to programmers; ours are sentences of their own.
                warnings.simplefilter("ignore")
                return super().invoke(ctx)
        except click.ClickException as error:
            vars(error)["message"] = visible(error.message)  # click calls it final
            raise
        except (click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:  # as in `geoseg info scene.tif | head`: click knows
            raise
        except KeyboardInterrupt as stop:
            number = stop.number if isinstance(stop, Stopped) else signal.SIGINT
            _stop(_stopped(ctx.meta), 128 + number)
        except Exception as error:
            if ctx.meta.get("geoseg.debug"):
                raise
            sentence, status = _explained(error)
            _stop(spelled(sentence, self._running(ctx)), status)

    def _running(self, ctx: click.Context) -> click.Command | None:
        """Give the command that runs."""
        return self.get_command(ctx, ctx.invoked_subcommand or "")


def _explained(error: Exception) -> tuple[str, int]:
    """Give the sentence and the exit status of an error."""
    if isinstance(error, GeosegError):
        return str(error), 2 if isinstance(error, InputError) else 1
    if lacks_memory(error):
        return no_memory(), 1
    if isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}:
        return f"{error.strerror}; allow more with ulimit -n, and run again", 1
    if isinstance(error, OSError) and error.errno in _NO_PATH:
        name = brief(str(error.filename))
        return f"{name} cannot be a file ({error.strerror}); check the path", 2
    if unfit := _unfit():
        return unfit, 1
    sentence = (
        f"an error that geoseg did not foresee ({type(error).__name__}: {error}); run "
        f"again with --debug and report what it shows"
    )
    return sentence, 1


def _unfit() -> str:
    """Say that libraries of other versions or builds may be why something failed."""
    from geoseg.cli.libraries import mixed_torch, unfit_libraries  # noqa: PLC0415  # rarely needed

    unfit = "; ".join(unfit_libraries())
    return (
        f"{unfit}: pip install --upgrade geoseg brings it" if unfit else mixed_torch()
    )


@contextmanager
def _misuse_said() -> Iterator[None]:
    """Say in a sentence what is wrong with flags and arguments, and where help is."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:  # which shows the help
        raise
    except click.UsageError as error:
        text = " ".join(error.format_message().split()).removesuffix(".")
        text = _ONE_OF.sub(r"\1", text)
        asked = error.ctx or click.get_current_context()
        if text[1:2].islower():
            text = text[0].lower() + text[1:]
        _stop(f"{text} ({asked.command_path} --help shows what it takes)", _MISUSED)


def _stop(sentence: str, status: int) -> None:
    LOG.error("%s", sentence)
    leave(ENDED)
    click.echo(_last_line(sentence, status, as_json=flag(JSON_PROGRESS)), err=True)
    raise click.exceptions.Exit(status)


def _stopped(meta: Mapping[str, object]) -> str:
    """Say to whoever stopped a command what becomes of its work."""
    return _CARRIES_ON if meta.get(KEPT) else _BEGINS_ANEW


def _last_line(sentence: str, status: int, *, as_json: bool) -> str:
    """Write the last line of a program that does not end well."""
    if not as_json:
        return f"geoseg: {shown(sentence)}"
    return json.dumps({"event": "error", "text": shown(sentence), "status": status})


class _LastWords:
    """What is written where a program ends without its main thread."""

    meta: Mapping[str, object] = {}
    """What flags of the command that runs have left."""

    def of(self, number: int) -> bytes:
        """Write the sentence of a signal, if nothing else was the last one."""
        cursor = b"\x1b[?25h\n" if os.isatty(2) else b""  # bars hide it
        if self.meta.get(ENDED):
            return cursor
        as_json = bool(self.meta.get(JSON_PROGRESS))
        line = _last_line(_stopped(self.meta), 128 + number, as_json=as_json)
        return cursor + f"{line}\n".encode()


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    params=OF_VERSION,
)
def main() -> None:
    """Turn any large georeferenced image into a land-cover map.

    \b
    For example, on the sample that comes with the repository:
      geoseg segment sample_aoi/scene.tif --aoi sample_aoi/aoi.geojson -o out/

    Exit status: 0 done, 1 failed on the way (the same command resumes), 2 something
    given cannot be used (nothing was written), 130 stopped by Ctrl-C, 143 by
    SIGTERM, 129 by SIGHUP (the same command resumes).
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A name that the terminal's encoding lacks is no reason to stop.
            stream.reconfigure(errors="replace")
    # What GDAL and PROJ mutter on the way is raised, in our words. PROJ asks at its
    # first use; GDAL's own copy of it mutters of each file in kilometres.
    os.environ.setdefault("PROJ_DEBUG", "0")
    logging.getLogger("rasterio").addHandler(logging.NullHandler())


def program() -> None:
    """Be the program: what the entry points call, once in a process."""
    # Libraries make a million objects that stay: to look among them for garbage, as
    # often as Python does and once more at the end, takes a fifth of a short job.
    gc.set_threshold(_MADE)
    # Who ends at once leaves semaphores to multiprocessing's own process, which is
    # there to remove them; it says so after the prompt is back. It begins with these.
    sys.warnoptions.append("ignore:resource_tracker:UserWarning")
    words = _LastWords()
    end_soon(words.of)
    try:
        main(prog_name="geoseg", obj=words)
    finally:
        end_quietly()
        gc.freeze()
