"""Fields of learned features: a vector for each pixel, made by a foundation model.

Each says what its bands are called, and of which version they are: vectors of two
versions have nothing to do with each other, though they look alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from geoseg.geo.jit import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

EmbeddingName = Literal["alphaearth", "tessera"]
_VERSION = re.compile(r"[vV]?(\d[\w.~-]*)")
_RUN = re.compile(r"(.*?)(\d+)")
ALPHAEARTH_ONE = 127.5**2
"""AlphaEarth's number v stands for v |v| over this."""
MANY = 16
"""From more bands than these on, lists of them are abbreviated."""
_AT_ONCE = 1024
"""Pixels whose lengths stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """Which features a pixel's vector holds."""

    kind: EmbeddingName
    """Who made them."""
    version: str = ""
    """Of the features, such as ``1``; empty where nobody said."""

    @property
    def title(self) -> str:
        """What people call it: ``AlphaEarth 1``."""
        return f"{_KINDS[self.kind].title} {self.version}".strip()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its bands."""
        return _KINDS[self.kind].names

    @property
    def attribution(self) -> str:
        """What its licence asks to say; empty where nothing."""
        return _KINDS[self.kind].attribution

    @property
    def has_length_one(self) -> bool:
        """Whether vectors have length 1, so that a mean is brought back to it."""
        return self.kind == "alphaearth"

    def is_as(self, other: Embedding) -> bool:
        """Whether vectors may be compared: the same kind, no other version."""
        parts = zip(self._parts, other._parts, strict=True)
        return self.kind == other.kind and all(
            ours == theirs or not ours or not theirs for ours, theirs in parts
        )

    @property
    def _parts(self) -> tuple[str, str]:
        """The version's number and its variant; either may be empty: not known."""
        number, _, variant = self.version.partition("-")
        return number, variant

    @property
    def id(self) -> str:
        """Write it in a word that `parse` reads: ``alphaearth/1``."""
        return f"{self.kind}/{self.version}"

    @classmethod
    def parse(cls, text: str) -> Embedding | None:
        """Read what `id` wrote; None of nothing.

        Raises:
            ValueError: There are no such features.

        """
        if not text:
            return None
        kind, _, version = text.partition("/")
        for known in _KINDS:
            if kind == known:
                return cls(known, version)
        raise ValueError(f"features of {text!r} are none of {', '.join(_KINDS)}")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What all versions of some features have in common."""

    title: str
    names: tuple[str, ...]
    attribution: str = ""


_KINDS: dict[EmbeddingName, _Kind] = {
    "alphaearth": _Kind(
        "AlphaEarth",
        tuple(f"A{number:02}" for number in range(64)),
        "The AlphaEarth Foundations Satellite Embedding dataset is produced by Google "
        "and Google DeepMind.",
    ),
    "tessera": _Kind("TESSERA", tuple(f"Tessera_Band_{n}" for n in range(128))),
}


def credited(made: Sequence[Embedding]) -> tuple[str, str]:
    """Write whose features there are, and what their licences ask to say, each once."""
    said = dict.fromkeys(each.attribution for each in made if each.attribution)
    return ", ".join(each.title for each in made), " ".join(said)


def recognise(names: Sequence[str]) -> EmbeddingName | None:
    """Recognise whose features bands are by their names; None of any others."""
    for kind, known in _KINDS.items():
        if names and set(names) <= set(known.names):
            return kind
    return None


def version_of(text: str) -> str:
    """Write a version in one way: ``v1`` and ``1.0`` are 1; empty of what is none."""
    found = _VERSION.fullmatch(text.strip())
    return found[1].removesuffix(".0") if found else ""


def to_length_one(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring vectors, shape ``(band, *pixels)``, to length 1; those of 0 stay.

    Squares are added band by band, so that a pixel's numbers are the same whatever is
    beside it.
    """
    flat = np.ascontiguousarray(vectors).reshape(len(vectors), -1)
    found = np.empty_like(flat)
    _divide_by_length(flat, found)
    return found.reshape(vectors.shape)


@kernel
def _divide_by_length(vectors: NDArray[np.float32], found: NDArray[np.float32]) -> None:
    """Fill in vectors of length 1, shape ``(band, pixel)``, some pixels at a time."""
    length = np.empty(_AT_ONCE, np.float64)
    for first in range(0, vectors.shape[1], _AT_ONCE):
        count = min(_AT_ONCE, vectors.shape[1] - first)
        length[:] = 0
        for band in range(vectors.shape[0]):
            for each in range(count):
                value = np.float64(vectors[band, first + each])
                length[each] += value * value
        for each in range(count):
            length[each] = np.sqrt(length[each]) if length[each] else 1.0
        for band in range(vectors.shape[0]):
            for each in range(count):
                value = np.float64(vectors[band, first + each]) / length[each]
                found[band, first + each] = np.float32(value)


def listed(names: Sequence[str]) -> str:
    """List bands by name; of many that are only counted up, the first and the last.

    Example:
        >>> listed(["B02", "B03"]), listed([f"A{n:02}" for n in range(64)])
        ('B02, B03', 'A00 to A63')

    """
    if len(names) <= MANY:
        return ", ".join(names)
    runs: list[str] = []
    begin = 0
    for end in range(1, len(names) + 1):
        if end == len(names) or not _follows(names[end - 1], names[end]):
            run = names[begin:end]
            runs += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else run  # noqa: PLR2004  # two are named
            begin = end
    if len(runs) > MANY:
        runs = [*runs[: MANY - 1], f"and {len(runs) - MANY + 1} more"]
    return ", ".join(runs)


def _follows(one: str, other: str) -> bool:
    """Whether a name is another one, counted up by 1."""
    before, behind = _RUN.fullmatch(one), _RUN.fullmatch(other)
    return (
        before is not None
        and behind is not None
        and before[1] == behind[1]
        and int(before[2]) + 1 == int(behind[2])
    )
