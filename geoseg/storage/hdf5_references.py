"""Ways out of an HDF5 file (and so of netCDF-4), found before GDAL opens it.

HDF5 can keep the bytes of a dataset in other files, by absolute paths too: as external
storage, behind external links, or as a virtual dataset put together from others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geoseg.errors import SceneError, needs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_FIRST = 512
"""Bytes of the smallest block of a user's own before HDF5's; each next is twice it."""
_HERE = "."
"""What a virtual dataset calls its own file."""


def is_hdf5(path: Path) -> bool:
    """Return whether HDF5 would open a file: its signature may stand behind others'."""
    size, at = path.stat().st_size, 0
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            if file.read(len(_SIGNATURE)) == _SIGNATURE:
                return True
            at = max(_FIRST, at * 2)
    return False


def check_hdf5(path: Path, advice: str) -> None:
    """Refuse an HDF5 file that keeps anything elsewhere.

    Args:
        path: The file.
        advice: What to do about one that is refused.

    Raises:
        SceneError: It does, or it cannot be looked through.

    """
    # Only HDF5 files need it, and it brings a library of its own.
    what = f"to see that {path}, which is HDF5 or netCDF-4, reads no other file"
    needs("h5py", "hdf5", what, SceneError, instead=advice)
    import h5py  # noqa: PLC0415

    try:
        with h5py.File(path, "r") as file:
            found = next(_ways_out(file), None)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise SceneError(
            f"{path} cannot be opened as a raster (HDF5: {error}); get it again"
        ) from error
    if found is not None:
        raise SceneError(
            f"{path} makes geoseg read other files ({found}), which you did not name; "
            f"{advice}"
        )


def _ways_out(root: Any) -> Iterator[str]:  # noqa: ANN401  # h5py is untyped
    """Name what leads out of a file; no link is followed that does."""
    import h5py  # noqa: PLC0415  # see above

    groups, seen = [root], set()
    while groups:
        group = groups.pop()
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.SoftLink):
                continue  # leads to what a hard link leads to, or through an external
            if not isinstance(link, h5py.HardLink):
                yield f"the external link {name!r}"
                continue
            member = group[name]
            address = h5py.h5o.get_info(member.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(member, h5py.Group):
                groups.append(member)
            elif isinstance(member, h5py.Dataset):
                yield from _stored_elsewhere(name, member)


def _stored_elsewhere(name: str, dataset: Any) -> Iterator[str]:  # noqa: ANN401  # see above
    if dataset.external:
        yield f"the external storage of {name!r}"
    elif dataset.is_virtual and any(
        source.file_name != _HERE for source in dataset.virtual_sources()
    ):
        yield f"the virtual dataset {name!r}"
