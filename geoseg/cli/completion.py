"""geoseg completion: what makes a shell complete commands, flags, values and files."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, get_completion_class

import geoseg
from geoseg.options import NO_FORMAT

VARIABLE = "_GEOSEG_COMPLETE"
"""By which a shell asks click what could come next."""
_FILE = CompletionItem("", type="file")
"""Leaves it to the shell to complete names of files."""
_LABELLED = ("labels", "reference", "aoi")
"""Parameters whose file has the columns that another names."""


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print what makes SHELL complete geoseg's commands, flags, values and files.

    \b
    For example:
      geoseg completion bash >> ~/.bashrc
      geoseg completion zsh >> ~/.zshrc
      geoseg completion fish > ~/.config/fish/completions/geoseg.fish
    """
    kind = get_completion_class(shell)
    group = click.get_current_context().find_root().command
    if kind is not None:
        click.echo(kind(group, {}, "geoseg", VARIABLE).source())


class PathOrUrl(click.types.StringParamType):
    """Text that is most often the name of a file: one that a shell can complete."""

    name = "path"

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002  # click's signature
        param: click.Parameter,  # noqa: ARG002  # the same
        incomplete: str,
    ) -> list[CompletionItem]:
        """Leave it to the shell."""
        return [CompletionItem(incomplete, type="file")]


path_or_url = PathOrUrl()


def formats(
    _: click.Context, __: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Name the vector formats, and what asks for none."""
    return _beginning((*geoseg.known_formats(), NO_FORMAT), incomplete)


def models(
    _: click.Context, __: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Name the models, and leave folders to the shell."""
    names = (*geoseg.known_models(), *geoseg.installed_models())
    return [_FILE, *_beginning((*names, *geoseg.cached_models()), incomplete)]


def legends(
    _: click.Context, __: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Name the legends that ship, and leave files to the shell."""
    return [_FILE, *_beginning(geoseg.known_legends(), incomplete)]


def fields(
    ctx: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Name the columns of the file that was given before."""
    given = next((ctx.params[each] for each in _LABELLED if ctx.params.get(each)), None)
    paths = [given] if isinstance(given, str) else list(given or ())
    try:
        names = {name for path in paths for name in geoseg.list_fields(path)}
    except geoseg.GeosegError:  # the command will say what is wrong with the file
        return []
    return _beginning(sorted(names), incomplete)


def _beginning(values: tuple[str, ...] | list[str], text: str) -> list[CompletionItem]:
    return [CompletionItem(value) for value in values if value.startswith(text)]
