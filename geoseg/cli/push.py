"""geoseg models push: a package into a repository of the Hub."""

from __future__ import annotations

import rich_click as click

import geoseg
from geoseg.cli.completion import models
from geoseg.cli.options import flags_of, reporting
from geoseg.cli.printing import say, show_json
from geoseg.cli.screen import Screen
from geoseg.options import PushKeywords


@click.command("push")
@click.argument("model", shell_complete=models)
@click.argument("address", metavar="hf://OWNER/NAME")
@flags_of(PushKeywords)
@reporting
def push_model(
    model: str, address: str, *, private: bool, quiet: bool, as_json: bool
) -> None:
    """Write MODEL into a repository of the Hugging Face Hub.

    \b
    For example:
      geoseg models push my_model/ hf://me/my-model

    The repository is made where it is missing. Its model card is made of what the
    package says: licence, bands, classes, figures, and how to use it. You have to be
    logged in, by hf auth login or HF_TOKEN.
    """
    with Screen(quiet=quiet, as_json=as_json) as screen:
        made = geoseg.push_model(
            model, address, private=private, on_step=screen.show_step
        )
    if as_json:
        show_json({"model": model, "address": address, "commit": made})
    elif not quiet:
        say(f"{model} is in {address}: {made}")
