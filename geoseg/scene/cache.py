"""The user's cache: what can be computed again, kept between runs as JSON.

It is ``~/.cache/geoseg`` or ``$GEOSEG_CACHE``. Nothing depends on it: what cannot be
read is computed again, and what cannot be written is done without.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from geoseg.errors import OutputError
from geoseg.storage.staging import atomic_file


def cache_folder() -> Path:
    """Where what can be computed again is kept between runs."""
    named = os.environ.get("GEOSEG_CACHE")
    if named:
        return Path(named)
    return user_cache_path("geoseg", appauthor=False)


def recall(path: Path | None) -> Any:  # noqa: ANN401  # JSON
    """Give the JSON value of a file of the cache; None where there is none."""
    if path is None:
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def keep(path: Path | None, value: object) -> None:
    """Keep a JSON value for `recall`; do without where that fails."""
    if path is None:
        return
    try:
        with atomic_file(path) as whole:
            whole.write_text(json.dumps(value), encoding="utf-8")
    except (OSError, OutputError):
        pass
