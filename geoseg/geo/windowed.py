"""What is read by windows, and what goes over blocks of it: the least that is asked.

Whatever has these methods will do: a file, an array, a fake of a test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.windows import Window


class ClassWindows(Protocol):
    """Classes on the pixels of a plane: of a map, a reference or labels."""

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Read a window that lies inside the plane, shape ``(y, x)``; 255 is none."""


class ClassRaster(ClassWindows, Protocol):
    """Classes that know their plane."""

    @property
    def geobox(self) -> GeoBox:
        """The plane of its pixels."""


class BlockMap(Protocol):
    """What `map` does, by whom it may: serially, by threads or by a cluster."""

    def __call__(
        self,
        function: Callable[[Any], Any],  # what goes in and comes out is the caller's
        iterable: Iterable[Any],  # the same
        /,
    ) -> Iterable[Any]:  # the same
        """Apply the function, which can be pickled, to each item, in any order."""
