"""Whether work that was left unfinished is the work that is asked for now.

What is kept beside unfinished work says of what it is: its *identity*, every input and
setting that changes what comes out, by name, as JSON. Work is carried on where all of
them are the same, and nowhere else.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from geoseg.errors import ResumeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LONGEST = 80
"""Of a value that a message shows."""


def written(identity: Mapping[str, str]) -> bytes:
    """Write an identity as it is kept."""
    return json.dumps(dict(identity), indent=1).encode()


def read(identity: bytes, where: Path | str, work: str) -> dict[str, str]:
    """Read the identity of unfinished work.

    Args:
        identity: As `written` wrote it.
        where: What holds the work.
        work: What it is, in words: ``run``.

    Raises:
        ResumeError: It is damaged.

    """
    try:
        recorded = json.loads(identity)
    except ValueError:
        recorded = None
    if isinstance(recorded, dict) and all(
        isinstance(v, str) for v in recorded.values()
    ):
        return recorded
    raise ResumeError(
        f"{where} holds an unfinished {work} whose identity is damaged; use `restart` "
        f"to begin again"
    )


def check_same(
    before: Mapping[str, str], now: Mapping[str, str], where: Path | str, work: str
) -> None:
    """Refuse to carry on other work.

    Args:
        before: The identity of the work that was left.
        now: The identity of what is asked for.
        where: What holds the work.
        work: What it is, in words: ``run``.

    Raises:
        ResumeError: Something differs; the message says what, and what to do.

    Example:
        >>> check_same({"tile": "256"}, {"tile": "512"}, "out/.geoseg", "run")
        Traceback (most recent call last):
        geoseg.errors.ResumeError: out/.geoseg holds an unfinished run that differs: \
tile was 256, is 512. Repeat that run's command, choose another output, or use \
`restart` to begin again

    """
    names = sorted(before.keys() | now.keys())
    changes = [
        _change(name, before.get(name, "not set"), now.get(name, "not set"))
        for name in names
        if before.get(name) != now.get(name)
    ]
    if changes:
        raise ResumeError(
            f"{where} holds an unfinished {work} that differs: {'; '.join(changes)}. "
            f"Repeat that {work}'s command, choose another output, or use `restart` to "
            f"begin again"
        )


def _change(name: str, before: str, now: str) -> str:
    """Say what became of a value; of a long one, that it is another."""
    if max(len(before), len(now)) > _LONGEST:
        return f"{name} is not what it was"
    return f"{name} was {before}, is {now}"
