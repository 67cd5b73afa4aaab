"""Packages in a folder of the user's own, found by name.

A name may stand for a family: ``csmask`` for all packages called ``csmask-...``, of
which a scene decides.
"""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path

_CARD = "mlm.json"


def models_folder() -> Path:
    """Where packages are found by name: ``$GEOSEG_MODELS``, or the user's data folder.

    It need not exist.
    """
    named = os.environ.get("GEOSEG_MODELS")
    if named:
        return Path(named)
    return user_data_path("geoseg", appauthor=False) / "models"


def installed_models() -> tuple[str, ...]:
    """Name the packages of that folder."""
    try:
        return tuple(sorted(p.parent.name for p in models_folder().glob(f"*/{_CARD}")))
    except OSError:
        return ()


def family(name: str) -> tuple[str, ...]:
    """Name the packages of that folder that a name stands for, but for itself."""
    return tuple(each for each in installed_models() if each.startswith(f"{name}-"))
