"""What a comparison found, left in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.evaluate.confusion_plot import Confusion, write_confusion
from geoseg.overlay.aoi import split_layer
from geoseg.storage.authorship import check_not_inputs, check_replaceable
from geoseg.storage.lock import locked_folder
from geoseg.storage.staging import atomic_file, check_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from geoseg.evaluate.assessment import Assessment


def product_paths(folder: Path | str | None) -> dict[str, str]:
    """Name the files of a folder, by what they are; none where there is no folder."""
    if folder is None:
        return {}
    names = {"figures": "accuracy.json", "plot": "confusion.png"}
    return {name: str(Path(folder, file)) for name, file in names.items()}


def check_products(
    folder: Path | str | None, inputs: Iterable[Path | str | None], *, overwrite: bool
) -> None:
    """Refuse to lose what is in a folder, and what is read.

    Args:
        folder: Where figures go; None for nowhere.
        inputs: Files that are read; None for one that is not given.
        overwrite: Whether files of somebody's may be replaced.

    Raises:
        OutputError: A product would replace an input or a file of somebody's.

    """
    if folder is None:
        return
    check_folder(Path(folder))
    products = [Path(path) for path in product_paths(folder).values()]
    read = (split_layer(each)[0] for each in inputs if each is not None)
    check_not_inputs(products, read)
    for path in products:
        check_replaceable(path, overwrite=overwrite)


def write_assessment(assessment: Assessment) -> None:
    """Write an assessment's products, where some are named: together or not at all.

    Raises:
        DiskError: A file cannot be written.
        OutputError: Another process is writing there.

    """
    products = assessment.products
    if products:
        figures = Path(products["figures"])
        with locked_folder(figures.parent), atomic_file(figures) as whole:
            whole.write_text(assessment.to_json() + "\n", encoding="utf-8")
            plot = whole.with_name(Path(products["plot"]).name)
            write_confusion(plot, _confusion(assessment))


def _confusion(assessment: Assessment) -> Confusion:
    accuracy, estimates = assessment.evaluation.accuracy, assessment.estimates
    calibration = assessment.evaluation.calibration
    producers, users = accuracy.producers, accuracy.users
    if estimates is not None:  # of a sample, they alone are figures of the map
        producers, users = estimates.producers.value, estimates.users.value
    bins = [] if calibration is None or estimates is not None else calibration.bins
    return Confusion(
        title=(
            f"{Path(assessment.class_map).name} against "
            f"{Path(assessment.reference).name}"
        ),
        figures="  ·  ".join(_figures(assessment)),
        unit=assessment.unit,
        legend=assessment.legend,
        matrix=accuracy.matrix,
        producers=producers,
        users=users,
        reliability=[(each.confidence, each.accuracy, each.pixels) for each in bins],
    )


def _figures(assessment: Assessment) -> Iterator[str]:
    """Write the overall figures, a phrase each."""
    evaluation, estimates = assessment.evaluation, assessment.estimates
    accuracy, boundaries = evaluation.accuracy, evaluation.boundaries
    if estimates is not None:
        overall, low, high = (
            100 * each
            for each in (
                estimates.overall.value,
                estimates.overall.low,
                estimates.overall.high,
            )
        )
        yield (
            f"estimated for the whole map: overall {overall:.1f} % "
            f"({low:.1f} to {high:.1f} %)"
        )
        return
    yield f"overall accuracy {100 * accuracy.overall:.1f} %"
    yield f"mean IoU {accuracy.mean_iou:.3f}"
    yield f"mean F1 {accuracy.mean_f1:.3f}"
    if boundaries is not None:
        within = f"{boundaries.tolerance:.3g} px"
        yield f"boundary F1 {boundaries.mean_f1:.3f} within {within}"
    if evaluation.calibration is not None:
        error = evaluation.calibration.expected_error
        yield f"calibration error {100 * error:.1f} %"
