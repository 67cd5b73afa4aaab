"""Where a model is: a name, a folder or an address; and what is not opened at all."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name

from geoseg.errors import ModelError
from geoseg.models.exchange.recipes import RECIPES
from geoseg.models.package.hub import SCHEME, fetch
from geoseg.models.package.installed import family, installed_models, models_folder

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "mlm.json"
_SHIPPED = {"sentinel2-landcover": Path(__file__).parents[1] / "shipped"}
PICKLES = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle")
"""Suffixes of files that run code when they are read."""
_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz")
_OPENER = "geoseg.models.exchange.import_model:open_item"
"""What makes packages of items: it stands above this room, as all that makes them."""
_SNAPSHOTS = "snapshots"
"""Where the Hub's cache keeps folders of links to files that lie beside it."""


def known_models() -> tuple[str, ...]:
    """Name the models that ship with geoseg."""
    return tuple(_SHIPPED)


def is_package(name_or_path: str | Path) -> bool:
    """Return whether a name or a path is one model, and not a family or nothing."""
    text = str(name_or_path)
    named = text in {*known_models(), *installed_models()}
    return (
        named
        or text.startswith(SCHEME)
        or _is_item(text)
        or Path(name_or_path, CARD).exists()
    )


def find_package(name_or_path: str | Path) -> Path:
    """Find a package's folder.

    Args:
        name_or_path: The name of a model that ships or is in the user's folder of
            models, the folder of a package, ``hf://owner/name`` for one on the
            Hugging Face Hub, or the file or address of a STAC item with the MLM
            extension.

    Raises:
        ModelError: There is none; what is there is a file, and the sentence says how
            to make a package of it.

    """
    text = str(name_or_path)
    if text.startswith(SCHEME):
        return _fetch_package(text)
    if _is_item(text):
        opened: Path = resolve_name(_OPENER)(text)
        return opened
    path = _SHIPPED.get(text, Path(name_or_path))
    if text in installed_models():
        path = models_folder() / text
    if path.is_dir():
        return path
    if path.is_file():
        raise ModelError(_what_to_do(path))
    if members := family(text):
        raise ModelError(
            f"{text!r} stands for several models, {', '.join(members)}; name one"
        )
    if text in RECIPES:
        raise ModelError(
            f"the model {text} is not on this machine yet; get it: geoseg models "
            f"import {text}"
        )
    known = ", ".join((*known_models(), *installed_models()))
    raise ModelError(
        f"no model is called {text!r}, and there is no such folder; known models: "
        f"{known} (others are found by name in {models_folder()})"
    )


def _fetch_package(address: str) -> Path:
    folder = fetch(address)
    if (folder / CARD).is_file():
        return folder
    raise ModelError(
        f"{address} has no {CARD} and is no model package; make one of its weights: "
        f"geoseg models import {address}"
    )


def _is_item(text: str) -> bool:
    """Whether a text names an item of others, and no package's own."""
    if text.startswith(("http://", "https://")):
        return True
    path = Path(text)
    return path.suffix == ".json" and path.name != CARD and path.is_file()


def _what_to_do(path: Path) -> str:
    """Say how a package is made of a file."""
    suffix = path.suffix.lower()
    if suffix == ".pt2":
        return (
            f"{path} is an archive of torch.export, whose loader unpickles parts of "
            f"it; geoseg does not: export the model as ONNX (torch.onnx.export)"
        )
    if suffix in PICKLES:
        return (
            f"{path} is a pickled checkpoint, which can run code when it is read; "
            f"convert it: geoseg models package `from_checkpoint={path}` -o my_model/"
        )
    if suffix in _ARCHIVES:
        return (
            f"{path} is an archive; unpack it: geoseg models unpack {path} -o my_model/"
        )
    if path.name == CARD:
        return f"{path} describes a model; give its folder: {path.parent}"
    return (
        f"{path} is a file, and a model a folder with {CARD} in it; make one of bare "
        f"weights: geoseg models package {path} -o my_model/"
    )


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
