"""A package sent to the Hugging Face Hub, with a model card made of what it says."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from geoseg.errors import InputError, OutputError
from geoseg.models.find import load_package
from geoseg.models.package.files import CARD, CONFIG
from geoseg.models.package.hub import repository_of
from geoseg.progress import OnStep, Step, ignore_step

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from geoseg.models.package.package import ModelPackage

_OBEYED = re.compile(r"[\\`<>\[\]|]")
"""What begins markup, code, links and cells in Markdown."""
_README = "README.md"
_MORE = ("reliability.png", "training.png", "training.csv", "accuracy.json")
"""What goes along where a package has it: what shows how good the model is."""


def push_model(
    model: Path | str,
    address: str,
    *,
    private: bool = False,
    on_step: OnStep = ignore_step,
) -> str:
    """Write a package into a repository of the Hub, which is made where it is missing.

    The token is the one that the Hub's own tools keep: ``HF_TOKEN`` in the environment,
    or what ``hf auth login`` stored. It is in no message.

    Args:
        model: A package's folder or name.
        address: ``hf://owner/name``, or ``hf://owner/name@revision``.
        private: Whether a new repository is for its owner alone.
        on_step: Called before files are sent.

    Returns:
        The address of the commit.

    Raises:
        InputError: Nobody is logged in, or the address makes no sense.
        OutputError: The Hub refuses, or cannot be reached.

    """
    # It is slow to import, and few models go there.
    from huggingface_hub import (  # noqa: PLC0415
        CommitOperationAdd,
        HfApi,
        get_token,
    )
    from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415  # the same

    package = load_package(model)
    repository, revision = repository_of(address)
    token = get_token()
    if token is None:
        raise InputError(
            "the Hub takes models of people who are logged in; run hf auth login, or "
            "set HF_TOKEN"
        )
    files = _files(package, address)
    on_step(Step("prepare", note=f"{', '.join(files)} to {address}"))
    adding = [CommitOperationAdd(name, content) for name, content in files.items()]
    api = HfApi(token=token)
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        done = api.create_commit(
            repository,
            adding,
            commit_message=f"{package.name} {package.version}",
            revision=revision,
        )
    except (HfHubHTTPError, ValueError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error) else type(error)
        reason = str(first).replace(token, "...")
        raise OutputError(f"{address} cannot be written ({reason})") from None
    return str(done.commit_url)


def _files(package: ModelPackage, address: str) -> dict[str, str | bytes]:
    """List what is sent: paths of files, and the card's bytes."""
    names = [CARD, package.weights.name, *([] if package.is_onnx else [CONFIG])]
    names += [name for name in _MORE if (package.path / name).is_file()]
    found: dict[str, str | bytes] = {n: str(package.path / n) for n in names}
    return {_README: model_card(package, address).encode(), **found}


def model_card(package: ModelPackage, address: str) -> str:
    """Write the card of a package for people: what it takes, gives, and how good it is.

    A ``README.md`` of the package's own follows.
    """
    said = {
        "license": _license(package),
        "library_name": "geoseg",
        "pipeline_tag": "image-segmentation",
        "tags": ["remote-sensing", "land-cover", "semantic-segmentation", "geoseg"],
    }
    values = (f"{key}: {json.dumps(value)}" for key, value in said.items())
    front = ["---", *values, "---", "\n"]
    lines = [
        f"# {_plain(package.name)}, version {_plain(package.version)}",
        "\n".join(map(_plain, package.description.splitlines())),
        "## How to use it",
        _use(address),
        "## What it takes",
        _takes(package),
        _table(
            ("band", "common name", "mean", "deviation"),
            [
                (each.name, each.common_name, f"{each.mean:g}", f"{each.std:g}")
                for each in package.bands
            ],
        ),
        "## What it gives",
        _table(
            ("id", "class", "colour"),
            [(str(each.id), each.name, each.colour) for each in package.legend],
        ),
        *_figures(package),
        *_origin(package),
    ]
    own = package.path / _README
    if own.is_file():
        lines += ["## From its makers", _without_front(own.read_text("utf-8"))]
    return "\n".join(front) + "\n\n".join(lines) + "\n"


def _use(address: str) -> str:
    """Say it in Python: flags are the command line's to spell."""
    return (
        "    import geoseg  # pip install geoseg\n\n"
        f'    options = geoseg.SegmentOptions(model="{address}")\n'
        '    geoseg.segment("scene.tif", "map", options=options)'
    )


def _takes(package: ModelPackage) -> str:
    return (
        f"{package.architecture}. Pixels of {package.gsd_m:g} m, {package.dtype}, "
        f"times {package.scale:g}; tiles of {package.tile} px that overlap by "
        f"{package.overlap}."
    )


def _figures(package: ModelPackage) -> list[str]:
    """Say how good it is, as far as anybody measured."""
    if not package.metrics and package.reliability is None:
        return []
    rows = [(name, f"{value:g}") for name, value in package.metrics]
    found = package.reliability
    if found is not None:
        rows += [
            ("expected calibration error", f"{found.error_after:g}"),
            ("the same without the temperature", f"{found.error_before:g}"),
        ]
    return [
        "## How good it is, on ground that it had not seen",
        _table(("figure", "value"), rows),
    ]


def _origin(package: ModelPackage) -> list[str]:
    """Say where it comes from and what its licence asks for."""
    facts = [
        ("trained on", package.trained_on),
        ("began with", package.pretrained_source),
        ("from", package.source),
        ("licence", package.license),
        ("name", package.attribution),
    ]
    listed = [f"- {what}: {_plain(value)}" for what, value in facts if value]
    return ["## Where it comes from", "\n".join(listed)]


def _license(package: ModelPackage) -> str:
    """Write an SPDX name as the Hub does; one that it may not know is ``other``."""
    known = package.license.lower()
    return known if known and " " not in known else "other"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    cells = [[_plain(cell) for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _plain(text: str) -> str:
    r"""Write a text that a package holds so that no reader of Markdown obeys it.

    Example:
        >>> print(_plain("a|b <img src=x> [c](d)"))
        a\|b \<img src=x\> \[c\](d)

    """
    return _OBEYED.sub(r"\\\g<0>", " ".join(text.split()))


def _without_front(text: str) -> str:
    """Leave out the metadata that stand before a card."""
    if not text.startswith("---\n"):
        return text
    return text[4:].partition("\n---\n")[2] or text
