"""Which packages a name may mean, where it stands for several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geoseg.models.package.installed import family
from geoseg.models.package.locate import is_package
from geoseg.models.package.package import ModelPackage, load_package

if TYPE_CHECKING:
    from pathlib import Path


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
