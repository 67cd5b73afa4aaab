"""What a comparison found: figures for people, JSON for machines."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from geoseg.errors import json_text
from geoseg.geo.ground import HECTARE_M2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from geoseg.evaluate.blocks import Evaluation
    from geoseg.evaluate.intervals import Estimate
    from geoseg.evaluate.stratified import StratifiedEstimates
    from geoseg.geo.legend import Legend


@dataclass(frozen=True, slots=True)
class Assessment:
    """How good a map is, as far as a reference says."""

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
    """The area of one of the map's pixels on the ground, on average."""
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
            "geoseg": version("geoseg"),
            "map": self.class_map,
            "reference": self.reference,
            "unit": self.unit,
            **self._figures(),
            "products": self.products,
            "warnings": list(self.warnings),
        }
        return json_text(document)

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
            columns["boundary_pixels"] = boundaries.in_reference
            figures["mean_boundary_f1"] = boundaries.mean_f1
            figures["boundary_tolerance_px"] = boundaries.tolerance
        if calibration is not None:
            columns["mean_confidence"] = calibration.confidence
            columns["confidence_less_accuracy"] = calibration.excess
            columns["expected_calibration_error"] = calibration.expected_errors
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
                **{name: column[index].tolist() for name, column in columns.items()},
            }
            for index, each in enumerate(self.legend)
        ]

    def _stratified(self, estimates: StratifiedEstimates) -> dict[str, object]:
        hectares = self.pixel_area_m2 / HECTARE_M2
        columns: dict[str, NDArray[Any]] = {
            "mapped_pixels": estimates.mapped,
            "mapped_ha": estimates.mapped * hectares,
            **_columns("area_pixels", estimates.area),
            **_columns("area_ha", estimates.area.times(hectares)),
            **_columns("users_accuracy", estimates.users),
            **_columns("producers_accuracy", estimates.producers),
        }
        overall = _columns("overall_accuracy", estimates.overall)
        return {
            "intervals": "of 95 %: Wilson's, and what follows from them for sums",
            **{name: value.tolist() for name, value in overall.items()},
            "classes": self._rows(columns),
        }


def _columns(name: str, estimate: Estimate) -> dict[str, NDArray[np.float64]]:
    """Give an estimate, its standard error, and where its interval begins and ends."""
    return {
        name: estimate.value,
        f"{name}_standard_error": estimate.standard_error,
        f"{name}_interval": np.stack([estimate.low, estimate.high], axis=-1),
    }
