"""The sample's held-out blocks: what benchmarks of accuracy share."""

from __future__ import annotations

from pathlib import Path

import geopandas
from shapely import Polygon

import geoseg

SAMPLE = Path(__file__).parents[2] / "sample_aoi"
SCENE, LABELS = SAMPLE / "scene.tif", SAMPLE / "labels.gpkg"


def save_blocks(path: Path, fold: int, which: slice = slice(None)) -> Path:
    """Write a fold's blocks of 256 x 256 pixels as polygons of the scene's CRS."""
    geobox = geoseg.open_scene(SCENE).geobox
    split = geoseg.Split(geobox.height, geobox.width, fold)
    polygons = [
        Polygon(
            geobox.transform * (col, row)
            for col, row in (
                (cols.start, rows.start),
                (cols.stop, rows.start),
                (cols.stop, rows.stop),
                (cols.start, rows.stop),
            )
        )
        for rows, cols in split.test_blocks()[which]
    ]
    frame = geopandas.GeoSeries(polygons, crs=geobox.crs)
    frame.to_file(path)
    return path


def measure(class_map: Path, within: Path) -> dict[str, float]:
    """Hold a map against the sample's labels: the figures of a line of a table."""
    found = geoseg.evaluate(class_map, LABELS, within=within).evaluation
    assert found.boundaries is not None  # noqa: S101  # polygons have boundaries
    assert found.calibration is not None  # noqa: S101  # confidences lie beside the map
    return {
        "overall accuracy": found.accuracy.overall,
        "mean IoU": found.accuracy.mean_iou,
        "mean F1": found.accuracy.mean_f1,
        "boundary F1": found.boundaries.mean_f1,
        "calibration error": found.calibration.expected_error,
    }


def write_between(path: Path, script: str, text: str) -> None:
    """Put a text into a page, between the lines that name the script."""
    page = path.read_text(encoding="utf-8")
    begin = f"<!-- begin: workflows/benchmarks/{script} --write {path} -->\n"
    before, rest = page.split(begin)
    _, after = rest.split("<!-- end -->", maxsplit=1)
    path.write_text(f"{before}{begin}{text}\n<!-- end -->{after}", encoding="utf-8")


def table(head: list[str], rows: list[list[str]]) -> str:
    """Draw a table in Markdown; all columns but the first are numbers."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))
