"""What a comparison found, left in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.atomic import atomic_file
from geoseg.products.confusion import Confusion, write_confusion

if TYPE_CHECKING:
    from geoseg.accuracy.assessment import Assessment


def product_paths(folder: Path | str | None) -> dict[str, str]:
    """Name the files of a folder, by what they are; none where there is no folder."""
    if folder is None:
        return {}
    names = {"figures": "accuracy.json", "plot": "confusion.png"}
    return {name: str(Path(folder, file)) for name, file in names.items()}


def write_assessment(assessment: Assessment) -> None:
    """Write those of an assessment's products that are named, each whole or not at all.

    Raises:
        DiskError: A file cannot be written.

    """
    products = assessment.products
    if "figures" in products:
        with atomic_file(Path(products["figures"])) as whole:
            whole.write_text(assessment.to_json() + "\n", encoding="utf-8")
    if "plot" in products:
        write_confusion(Path(products["plot"]), _confusion(assessment))


def _confusion(assessment: Assessment) -> Confusion:
    accuracy = assessment.evaluation.accuracy
    calibration = assessment.evaluation.calibration
    estimates = assessment.estimates
    figures = [
        f"overall accuracy {100 * accuracy.overall:.1f} %",
        f"mean IoU {accuracy.mean_iou:.3f}",
        f"mean F1 {accuracy.mean_f1:.3f}",
    ]
    if estimates is not None:  # the sample itself says nothing of the map
        overall, error = 100 * estimates.overall, 100 * estimates.overall_error
        figures = [
            f"a stratified sample; estimated overall accuracy of the map "
            f"{overall:.1f} ± {error:.1f} %"
        ]
    boundaries = assessment.evaluation.boundaries
    if boundaries is not None:
        figures.append(
            f"boundary F1 {boundaries.mean_f1:.3f} within {boundaries.tolerance:.3g} px"
        )
    bins = [] if calibration is None else calibration.bins
    if calibration is not None and bins and estimates is None:
        figures.append(f"calibration error {100 * calibration.expected_error:.1f} %")
    return Confusion(
        title=(
            f"{Path(assessment.class_map).name} against "
            f"{Path(assessment.reference).name}"
        ),
        figures="  ·  ".join(figures),
        unit=assessment.unit,
        legend=assessment.legend,
        matrix=accuracy.matrix,
        reliability=[(each.confidence, each.accuracy, each.pixels) for each in bins],
    )
