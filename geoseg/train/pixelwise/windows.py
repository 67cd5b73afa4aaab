"""How much of what lies around a pixel each kind of features looks at."""

from __future__ import annotations

WINDOWS: dict[str, tuple[int, ...]] = {
    "context": (3, 7, 15),
    "pixel": (),
    "probe": (3, 7, 15),
}
"""The sides of windows, in pixels, of each kind of features."""
SMOOTHING = {"context": 7, "pixel": 1, "probe": 7}
"""The side of the window in which the probabilities of each kind are averaged."""


def reach(architecture: str) -> int:
    """Say how many pixels away a kind of features and of probabilities looks."""
    widest = max(WINDOWS[architecture], default=1)
    return widest // 2 + SMOOTHING[architecture] // 2
