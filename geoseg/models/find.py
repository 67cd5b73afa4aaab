"""Which model is meant: by a name, a folder, an address, or a name for several.

This stands above the packages and what makes them of others' models: the item of a
model is a package as soon as it is opened.
"""

from __future__ import annotations

from pathlib import Path

from geoseg.errors import ModelError
from geoseg.models.exchange.recipes import RECIPES
from geoseg.models.package.files import CARD, PICKLES
from geoseg.models.package.hub import SCHEME, fetch
from geoseg.models.package.installed import family, installed_models, models_folder
from geoseg.models.package.package import ModelPackage, read_package

_SHIPPED = {"sentinel2-landcover": Path(__file__).parent / "shipped"}
_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz")


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


def load_package(name_or_path: str | Path) -> ModelPackage:
    """Read and check a model package: the bytes of its weights, but not what they do.

    Args:
        name_or_path: The name of a model that ships or is in the user's folder of
            models, the folder of a package, ``hf://owner/name`` for one on the
            Hugging Face Hub or in its cache, or the file or address of a STAC item
            with the MLM extension.

    Raises:
        ModelError: No such model; a file is missing, damaged, or outside the folder;
            the architecture is unknown; the files disagree about classes or bands;
            tile, overlap and stride do not fit together.

    """
    return read_package(find_package(name_or_path))


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
        from geoseg.models.exchange.import_model import (  # noqa: PLC0415  # torch
            open_item,
        )

        return open_item(text)
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


def candidates(name_or_path: str | Path) -> list[ModelPackage]:
    """Load a package, or those of a family, of which the first that fits is meant.

    Those of most bands come first, and of as many bands in the order of their names.

    Args:
        name_or_path: What `load_package` takes, or the name of a family.

    Raises:
        ModelError: There is no such model.

    """
    members = () if is_package(name_or_path) else family(str(name_or_path))
    packages = [load_package(member) for member in members or (name_or_path,)]
    return sorted(packages, key=lambda package: -len(package.bands))


def others(name_or_path: str | Path, package: ModelPackage) -> tuple[str, ...]:
    """Say what else a name stands for, a clause worth a warning; nothing mostly."""
    if is_package(name_or_path):
        return ()
    rest = [m for m in family(str(name_or_path)) if m != package.path.name]
    also = (
        f"{str(name_or_path)!r} stands for {', '.join(rest)} as well; any can be named"
    )
    return (also,) * bool(rest)
