"""What a person sees of a map's accuracy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from geoseg.cli.printing import say, show, show_json, show_line, swatch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from geoseg import (
        Assessment,
        Estimate,
        ModelPackage,
        StratifiedEstimates,
        Stratum,
    )

_WIDEST = 12
"""Classes of which a terminal still shows the confusion matrix."""


def show_reliability(package: ModelPackage) -> None:
    """Show how sure a model was of ground that it had not seen, and how often right."""
    found = package.reliability
    if found is None:
        return
    title = f"Confidence on {escape(found.ground)}, {found.pixels:,} pixels"
    table = Table("confidence", title=title, title_justify="left")
    for heading in ("right before", "pixels", "right after", "pixels"):
        table.add_column(heading, justify="right")
    before, after = (
        {_tenth(each.confidence): each for each in bins}
        for bins in (found.before, found.after)
    )
    for tenth in sorted({*before, *after}):
        cells = [
            text
            for bins in (before, after)
            for each in [bins.get(tenth)]
            for text in (
                (f"{each.accuracy:.1%}", f"{each.pixels:,}") if each else ("", "")
            )
        ]
        table.add_row(f"{10 * tenth} to {10 * tenth + 10} %", *cells)
    show(table)
    show_line(
        f"expected calibration error {found.error_before:.3f} before, "
        f"{found.error_after:.3f} after, temperature {package.temperature:g}"
    )


def _tenth(confidence: float) -> int:
    """Number the bin of a mean confidence; each takes its upper limit in."""
    return max(math.ceil(10 * confidence) - 1, 0)


def show_assessment(assessment: Assessment, *, quiet: bool, as_json: bool) -> None:
    """Show warnings, all figures, and the files that hold them."""
    for warning in assessment.warnings:
        say(f"geoseg: warning: {warning}", err=True)
    if as_json:
        show_json(assessment.to_json())
    elif not quiet:
        compared = f"{assessment.class_map} against {assessment.reference}"
        show_line(escape(compared))
        # Of a sample, only the estimates are figures of the map.
        if assessment.estimates is None:
            show(_classes(assessment))
        if len(assessment.legend) <= _WIDEST:
            show(_confusion(assessment))
        if assessment.estimates is None:
            show(_overall(assessment))
        else:
            show(_estimates(assessment, assessment.estimates))
        for path in assessment.products.values():
            show_line(escape(path))


def _classes(assessment: Assessment) -> Table:
    """List what was found of each class."""
    evaluation = assessment.evaluation
    accuracy, boundaries = evaluation.accuracy, evaluation.boundaries
    calibration = evaluation.calibration
    columns = {
        "IoU": accuracy.iou,
        "F1": accuracy.f1,
        "producer's": accuracy.producers,
        "user's": accuracy.users,
    }
    if boundaries is not None:
        columns["boundary F1"] = boundaries.f1
    if calibration is not None:
        columns["confidence"] = calibration.confidence
        columns["less user's"] = calibration.excess
    table = Table("class", "")
    for heading in (f"reference {assessment.unit}", *columns):
        table.add_column(heading, justify="right")
    for index, land_class in enumerate(assessment.legend):
        if not accuracy.in_reference[index] and not accuracy.in_map[index]:
            continue
        table.add_row(
            escape(land_class.name),
            swatch(land_class.colour),
            f"{accuracy.in_reference[index]:,}",
            *(_figure(values[index]) for values in columns.values()),
        )
    means = {"IoU": accuracy.mean_iou, "F1": accuracy.mean_f1}
    if boundaries is not None:
        means["boundary F1"] = boundaries.mean_f1
    table.add_section()
    table.add_row(
        "mean",
        "",
        f"{accuracy.pixels:,}",
        *(_figure(means[name]) if name in means else "" for name in columns),
    )
    return table


def _confusion(assessment: Assessment) -> Table:
    sample = assessment.estimates is not None
    title = "points of the sample" if sample else "in percent of a row"
    table = Table("reference \\ map", title=f"Confusion, {title}", title_justify="left")
    matrix = assessment.evaluation.accuracy.matrix
    shown = [i for i in range(len(matrix)) if matrix[i].any() or matrix[:, i].any()]
    names = [escape(land_class.name) for land_class in assessment.legend]
    for index in shown:
        table.add_column(names[index], justify="right")
    for index in shown:
        row, total = matrix[index, shown], matrix[index].sum()
        cells = [f"{n:,}" if sample else f"{100 * n / total:.1f}" for n in row]
        cells = [cell if n else "" for cell, n in zip(cells, row, strict=True)]
        table.add_row(names[index], *cells)
    return table


def _overall(assessment: Assessment) -> Table:
    evaluation = assessment.evaluation
    grid = Table.grid(padding=(0, 2))
    grid.add_row(
        "overall accuracy",
        f"{_figure(evaluation.accuracy.overall)}  (always the most frequent class: "
        f"{_figure(evaluation.accuracy.majority)})",
    )
    if evaluation.calibration is not None:
        error = evaluation.calibration.expected_error
        grid.add_row("expected calibration error", _figure(error))
    if evaluation.boundaries is not None:
        tolerance = evaluation.boundaries.tolerance
        count = evaluation.boundaries.in_reference.sum()
        grid.add_row(
            "boundaries agree within",
            f"{tolerance:.3g} pixels, asked at {count:,} of the reference's",
        )
    return grid


def _estimates(assessment: Assessment, estimates: StratifiedEstimates) -> Table:
    """List what a sample says of the whole map."""
    table = Table(
        "class",
        title="Estimates for the whole map, with 95 % intervals",
        title_justify="left",
    )
    for heading in ("mapped (ha)", "estimated (ha)", "producer's (%)", "user's (%)"):
        table.add_column(heading, justify="right", no_wrap=True)
    hectares = assessment.pixel_area_m2 / 10_000
    area = estimates.area.times(hectares)
    for index, land_class in enumerate(assessment.legend):
        if not estimates.mapped[index] and not area.value[index]:
            continue
        table.add_row(
            escape(land_class.name),
            f"{estimates.mapped[index] * hectares:,.0f}",
            _interval(area, index, ",.0f"),
            _interval(estimates.producers.times(100), index, ".1f"),
            _interval(estimates.users.times(100), index, ".1f"),
        )
    table.add_section()
    overall = _interval(estimates.overall.times(100), (), ".1f")
    table.add_row("overall (%)", "", "", "", overall)
    return table


def show_strata(strata: Sequence[Stratum], output: Path) -> None:
    """Show how many points were drawn of each class, and where they are."""
    table = Table("class", title="Points to label", title_justify="left")
    kept = any(each.labelled for each in strata)
    for heading in ("pixels", "share", "points", *(["labelled already"] * kept)):
        table.add_column(heading, justify="right")
    for each in strata:
        counts = (f"{each.pixels:,}", f"{100 * each.share:.1f} %", f"{each.points:,}")
        table.add_row(escape(each.name), *counts, *([f"{each.labelled:,}"] * kept))
    show(table)
    show_line(escape(str(output)))


def _figure(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


def _interval(estimate: Estimate, index: int | tuple[()], how: str) -> str:
    """Write an estimate and its interval; nothing where nothing is known."""
    value, low, high = (
        float(each[index]) for each in (estimate.value, estimate.low, estimate.high)
    )
    if math.isnan(value):
        return ""
    return f"{value:{how}} ({low:{how}} to {high:{how}})"
