"""Model packages as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geoseg import ModelPackage


def card_of(package: ModelPackage) -> dict[str, Any]:
    """Give all that is known of a package as values that JSON has."""
    fields = asdict(package)
    left_out = ("legend", "channels")  # classes stand by rising id, as in a map
    return {
        **{name: value for name, value in fields.items() if name not in left_out},
        "path": str(package.path),
        "weights": package.weights.name,
        "classes": [
            {"id": each.id, "name": each.name, "colour": each.colour}
            for each in package.legend
        ],
        "metrics": dict(package.metrics),
    }


def calibration_of(package: ModelPackage) -> dict[str, Any] | None:
    """Say what a temperature does; None where there is none."""
    found = package.reliability
    if found is None:
        return None
    return {
        "temperature": package.temperature,
        "ground": found.ground,
        "pixels": found.pixels,
        "expected_calibration_error": {
            "before": found.error_before,
            "after": found.error_after,
        },
    }
