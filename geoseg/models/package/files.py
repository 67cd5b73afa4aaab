"""A model package's files: what they are called, and that they lie in its folder."""

from __future__ import annotations

from pathlib import Path

from geoseg.errors import ModelError

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "mlm.json"
PICKLES = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle")
"""Suffixes of files that run code when they are read."""
_SNAPSHOTS = "snapshots"
"""Where the Hub's cache keeps folders of links to files that lie beside it."""


def inside(folder: Path, name: str) -> Path:
    """Give the path of a package's file, which must lie in its folder.

    In the Hub's cache a snapshot's files are links to blobs of the same repository,
    which count as inside.

    Raises:
        ModelError: The name is a path, or a link that leaves the folder; or the file
            is missing.

    """
    path = folder / name
    if not name or Path(name).name != name or "\\" in name:
        raise ModelError(
            f"{folder / CARD} names the file {name!r}; a package's files lie in its "
            f"own folder, and are named without a path"
        )
    root = folder.resolve()
    if root.parent.name == _SNAPSHOTS:
        root = root.parent.parent
    if not path.resolve().is_relative_to(root):
        raise ModelError(
            f"{path} is a link to {path.resolve()}, outside the package; "
            f"copy the file itself there"
        )
    if not path.is_file():
        raise ModelError(f"{path} is missing; {_needs(folder)}")
    return path


def _needs(folder: Path) -> str:
    pickles = sorted(f.name for f in folder.iterdir() if f.suffix.lower() in PICKLES)
    if pickles:
        return (
            f"the folder holds the pickled {pickles[0]}; convert it: geoseg models "
            f"package `from_checkpoint={folder / pickles[0]}` -o my_model/"
        )
    return f"a model package needs {CARD}, {CONFIG} and {WEIGHTS}, or {CARD} and ONNX"
