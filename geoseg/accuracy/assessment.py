"""What a comparison found: figures for people, JSON for machines."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.classes import Legend
    from geoseg.evaluate.blocks import Evaluation
    from geoseg.evaluate.stratified import StratifiedEstimates

_HECTARE_M2 = 10_000


@dataclass(frozen=True, slots=True)
class Assessment:
    """How good a map is, as far as a reference tells."""

    class_map: str
    """The map's path."""
    reference: str
    """The reference's path."""
    unit: str
    """What was compared: ``pixels`` or ``points``."""
    evaluation: Evaluation
    """The confusion matrix, boundaries and calibration."""
    estimates: StratifiedEstimates | None
    """What the sample says of the whole map; None where it was not asked to."""
    pixel_area_m2: float
    """The area of one of the map's pixels."""
    products: Mapping[str, str]
    """Path of each file that holds the figures, by its name."""
    warnings: tuple[str, ...] = ()
    """What the user should know, a sentence each."""

    @property
    def legend(self) -> Legend:
        """The map's classes, in the order of all figures."""
        return self.evaluation.accuracy.legend

    def to_json(self) -> str:
        """Write all figures as JSON; what is no number is null."""
        document = {
            "map": self.class_map,
            "reference": self.reference,
            "unit": self.unit,
            **self._figures(),
            "products": self.products,
            "warnings": list(self.warnings),
        }
        return json.dumps(
            _without_nan(document), indent=2, ensure_ascii=False, allow_nan=False
        )

    def _figures(self) -> dict[str, object]:
        accuracy, boundaries = self.evaluation.accuracy, self.evaluation.boundaries
        calibration = self.evaluation.calibration
        columns = {
            "in_reference": accuracy.in_reference,
            "in_map": accuracy.in_map,
            "iou": accuracy.iou,
            "f1": accuracy.f1,
            "producers_accuracy": accuracy.producers,
            "users_accuracy": accuracy.users,
        }
        figures: dict[str, object] = {
            "compared": accuracy.pixels,
            "overall_accuracy": accuracy.overall,
            "majority_class_accuracy": accuracy.majority,
            "mean_iou": accuracy.mean_iou,
            "mean_f1": accuracy.mean_f1,
        }
        if boundaries is not None:
            columns["boundary_f1"] = boundaries.f1
            figures["mean_boundary_f1"] = boundaries.mean_f1
            figures["boundary_tolerance_px"] = boundaries.tolerance
        if calibration is not None:
            figures["expected_calibration_error"] = calibration.expected_error
            figures["reliability"] = [
                {
                    "above": each.low,
                    "up_to": each.high,
                    self.unit: each.pixels,
                    "confidence": each.confidence,
                    "accuracy": each.accuracy,
                }
                for each in calibration.bins
            ]
        figures["classes"] = self._rows(columns)
        figures["confusion"] = {
            "rows": "reference",
            "columns": "map",
            "counts": accuracy.matrix.tolist(),
        }
        if self.estimates is not None:
            figures["stratified"] = self._stratified(self.estimates)
        return figures

    def _rows(self, columns: Mapping[str, NDArray[Any]]) -> list[dict[str, object]]:
        return [
            {
                "id": each.id,
                "name": each.name,
                **{name: column[index].item() for name, column in columns.items()},
            }
            for index, each in enumerate(self.legend)
        ]

    def _stratified(self, estimates: StratifiedEstimates) -> dict[str, object]:
        hectares = self.pixel_area_m2 / _HECTARE_M2
        columns = {
            "mapped_pixels": estimates.mapped,
            "mapped_ha": estimates.mapped * hectares,
            "area_pixels": estimates.area,
            "area_ha": estimates.area * hectares,
            "area_ha_error": estimates.area_error * hectares,
            "users_accuracy": estimates.users,
            "users_accuracy_error": estimates.users_error,
            "producers_accuracy": estimates.producers,
            "producers_accuracy_error": estimates.producers_error,
        }
        return {
            "errors": "half the width of a 95 % confidence interval",
            "overall_accuracy": estimates.overall,
            "overall_accuracy_error": estimates.overall_error,
            "classes": self._rows(columns),
        }


def _without_nan(value: object) -> object:
    """Replace what is no number by None, however deep."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_without_nan(each) for each in value]
    return value
