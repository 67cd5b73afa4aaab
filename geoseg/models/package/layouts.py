"""Where in a file a network's tensors are: training scripts name them in many ways.

One keeps them under ``state_dict``, beside the optimiser's; another writes ``model.``
or ``module.`` before each name; a third has a loss and metrics among them. It is
found by what fits, not by a list of names: the prefix before which all of the network's
own tensors stand.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from geoseg.errors import ModelError, counted
from geoseg.models.package.pickled import NESTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Tensors = dict[str, torch.Tensor]

_WRAPPERS = "module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module"
"""Modules that PyTorch puts around others, anywhere: they hold nothing of their own."""
_WRAPPED = re.compile(rf"(?:(?<=[./])|^)(?:{_WRAPPERS})[./]")
_BEGINS = re.compile(rf"(?<![^./])(?!(?:{_WRAPPERS})[./])")
"""Where a name without what is before it may begin: after a dot, or a wrapper's."""
_COUNTER = "num_batches_tracked"
"""What batch normalisation counts, and old files lack; it changes no output."""
_AVERAGES = re.compile(
    r"(^|[^a-z])(ema|averaged|teacher|shadow|momentum|encoder_k)", re.IGNORECASE
)
"""Names of second copies of the weights, which count where no first one is there."""
_STATISTICS = ("mean", "std")
_NAMED = 3
"""How many names a sentence lists."""


@dataclass(frozen=True, slots=True)
class StoredNetwork:
    """A network's tensors, as a file has them."""

    tensors: Tensors
    """By the network's own names."""
    notes: tuple[str, ...]
    """What was chosen among several, and what was left out, a sentence each."""


def find_tensors(
    held: Tensors, network: torch.nn.Module, path: Path, prefix: str | None = None
) -> StoredNetwork:
    """Find a network's tensors among all those that a file holds.

    Args:
        held: What the file holds, by its names.
        network: The network.
        path: The file, for messages.
        prefix: What stands before the names that are meant, such as ``model_ema``;
            where None, what fits.

    Raises:
        ModelError: Not all of the network's tensors are there, name by name and shape
            by shape; or it has others among them, which the network lacks.

    """
    wanted = network.state_dict()
    groups = _groups(held, wanted)
    fitting = [each for each, found in groups.items() if _fits(found, wanted)]
    if prefix is not None:
        chosen = [each for each in fitting if _plain(each) == _plain(prefix)]
        if not chosen and fitting:
            listed = ", ".join(repr(_plain(each)) for each in fitting)
            raise ModelError(
                f"{path} has no weights of the network under {prefix!r}; it has them "
                f"under {listed}"
            )
        fitting = chosen
    if not fitting:
        raise ModelError(_misfit(groups, network, path))
    first, *others = sorted(fitting, key=lambda each: bool(_AVERAGES.search(each)))
    alike = {} if prefix is not None else {each: groups[each] for each in others}
    foreign = _foreign(held, wanted, first)
    parts = {name for name, _ in network.named_children()}
    _check_foreign(foreign, parts, network, path)
    tensors = wanted | groups[first]
    notes = (
        *_of_others(tensors, alike, first, path),
        *_of_foreign(held, foreign, path),
    )
    return StoredNetwork(tensors, notes)


def plain_tensors(held: Tensors) -> Tensors:
    """Give the largest dictionary of tensors in a file, without a common prefix.

    For networks whose names are not known, such as other people's encoders.
    """
    sizes: dict[str, int] = defaultdict(int)
    for name in held:
        sizes[_container(name)] += 1
    largest = max(sizes, key=lambda each: sizes[each])
    inside = {
        _WRAPPED.sub("", name.removeprefix(largest)): tensor
        for name, tensor in held.items()
        if _container(name) == largest
    }
    for prefix in ("model.", "net."):
        if all(name.startswith(prefix) for name in inside):
            inside = {name.removeprefix(prefix): t for name, t in inside.items()}
    return inside


def named_alike(held: Tensors, wanted: Iterable[str]) -> Tensors:
    """Give the tensors of a network's names, whatever stands before all of them.

    Of several prefixes the one with most of them counts; of equals the first that is no
    second copy, such as the momentum encoder of a contrastive training.
    """
    groups = _groups(held, wanted)
    best = min(
        groups,
        key=lambda each: (-len(groups[each]), bool(_AVERAGES.search(each))),
        default="",
    )
    return groups.get(best, {})


def without_wrappers(name: str) -> str:
    """Write a tensor's name with dots alone, and without PyTorch's wrappers."""
    return _WRAPPED.sub("", name).replace(NESTED, ".")


def _groups(held: Tensors, wanted: Iterable[str]) -> dict[str, Tensors]:
    """Collect tensors of the network's names by what stands before these."""
    groups: dict[str, Tensors] = defaultdict(dict)
    for name, tensor in held.items():
        for prefix, rest in _splits(name):
            if rest in wanted:
                groups[prefix][rest] = tensor
    return dict(groups)


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """Cut a name wherever a module's may begin; wrappers are left out behind."""
    for begin in _BEGINS.finditer(name):
        rest = _WRAPPED.sub("", name[begin.start() :]).replace(NESTED, ".")
        yield _WRAPPED.sub("", name[: begin.start()]), rest


def _fits(found: Tensors, wanted: Tensors) -> bool:
    return all(
        found[name].shape == tensor.shape if name in found else name.endswith(_COUNTER)
        for name, tensor in wanted.items()
    )


def _plain(prefix: str) -> str:
    return prefix.replace(NESTED, ".").strip(".")


def _container(name: str) -> str:
    """Give the part of a name that is dictionaries'."""
    return name[: name.rfind(NESTED) + 1]


def _foreign(held: Tensors, wanted: Tensors, prefix: str) -> dict[str, str]:
    """Find what stands beside a network's tensors; for each name that after a prefix.

    It is empty for what is outside the prefix, but in the same dictionary.
    """
    container = _container(prefix)
    found = {}
    for name in held:
        plain = _WRAPPED.sub("", name)
        if not plain.startswith(prefix):
            if _container(plain) == container:
                found[name] = ""
            continue
        rest = plain.removeprefix(prefix).replace(NESTED, ".")
        if rest not in wanted and _container(plain) == container:
            found[name] = rest
    return found


def _check_foreign(
    foreign: dict[str, str], parts: set[str], network: torch.nn.Module, path: Path
) -> None:
    """Refuse tensors within the network's own parts: they are of another network."""
    unknown = [rest for rest in foreign.values() if rest.partition(".")[0] in parts]
    if unknown:
        raise ModelError(
            f"{path} does not fit the {type(network).__name__}: it has {len(unknown)} "
            f"tensors more, {some(unknown)}, which the network lacks; check "
            f"architecture, encoder and settings"
        )


def _misfit(groups: dict[str, Tensors], network: torch.nn.Module, path: Path) -> str:
    """Say of the likeliest prefix what is not as the network wants it."""
    wanted, kind = network.state_dict(), type(network).__name__
    if not groups:
        return (
            f"{path} does not fit the {kind}: it holds none of its {len(wanted)} "
            f"tensors, such as {next(iter(wanted))}; check architecture and encoder"
        )
    prefix, found = max(groups.items(), key=lambda group: len(group[1]))
    misfits = sorted(
        name
        for name, tensor in wanted.items()
        if name not in found or found[name].shape != tensor.shape
    )
    said = [
        f"{name} (wanted {tuple(wanted[name].shape)}, found {tuple(found[name].shape)})"
        if name in found
        else f"{name} (missing)"
        for name in misfits
    ]
    where = f" under {_plain(prefix)!r}" if _plain(prefix) else ""
    return (
        f"{path} does not fit the {kind}{where}: missing or of another shape are "
        f"{len(misfits)} of {len(wanted)} tensors, {some(said)}; check "
        f"architecture, encoder, bands and classes"
    )


def some(names: list[str]) -> str:
    """List the first of some names."""
    return ", ".join(names[:_NAMED]) + ", ..." * (len(names) > _NAMED)


def _of_others(
    tensors: Tensors, others: dict[str, Tensors], first: str, path: Path
) -> tuple[str, ...]:
    """Describe other copies that fit as well, where they hold other numbers."""
    differ = [
        _plain(prefix)
        for prefix, found in others.items()
        if any(not torch.equal(found[name], tensors[name]) for name in found)
    ]
    if not differ:
        return ()
    note = (
        f"{path}: the weights under {_plain(first)!r} were taken; those under "
        f"{', '.join(map(repr, differ))} fit as well and differ: `prefix` chooses"
    )
    return (note,)


def _of_foreign(held: Tensors, foreign: dict[str, str], path: Path) -> tuple[str, ...]:
    """Describe what was left out."""
    if not foreign:
        return ()
    listed = some(list(foreign))
    notes = [
        f"{name} is {', '.join(f'{value:.4g}' for value in held[name].flatten())}"
        for name in foreign
        if re.split(r"[./]", name)[-1] in _STATISTICS and held[name].numel() <= 2**5
    ]
    hint = f" ({'; '.join(notes)}: give `mean` and `std` if pixels were)" * bool(notes)
    note = (
        f"{path}: left out {counted(len(foreign), 'tensor')}, not the network's: "
        f"{listed}{hint}"
    )
    return (note,)
