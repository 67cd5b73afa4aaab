"""GeoJSON is what GDAL writes, though its coordinates are written by ourselves."""

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from maps import LEGEND

from geoseg.storage.prefetch import read_ahead
from geoseg.storage.vectors import geojson
from geoseg.storage.vectors.geojson import written_out
from geoseg.storage.vectors.rows import Rows
from geoseg.storage.vectors.write import write_polygons

COORDINATES = [0, 1e-7, 0.1, 1, 9.25, 10, 99.5, 100.0012345, 179.5]


def polygons_of(seed):
    """Make polygons and multipolygons, some clockwise, all with rounded vertices."""
    rng = np.random.default_rng(seed)
    made = []
    for x in COORDINATES:
        for sign in (-1, 1):
            west, south = sign * x, -sign * x / 2
            east, north = west + rng.random() + 1e-6, south + rng.random() + 1e-6
            shell = shapely.box(west, south, east, north, ccw=rng.random() < 0.5)
            hole = shapely.box(
                *shapely.buffer(shell, -(east - west) * (north - south) / 9).bounds,
                ccw=rng.random() < 0.5,
            )
            ring = shapely.Polygon(shell.exterior, [hole.exterior])
            made += [
                shell,
                ring,
                shapely.MultiPolygon([ring]),
                shapely.MultiPolygon(
                    [ring, shapely.box(*(np.array(shell.bounds) - (9, 0, 9, 0)))]
                ),
            ]
    rounded = shapely.transform(
        np.array(made), lambda points: np.round(points, 7) + 0.0
    )
    return rounded[shapely.is_valid(rounded)]


def by_gdal(frame, path):
    """Write features as GDAL does, a line each."""
    pyogrio.write_dataframe(
        frame,
        path,
        driver="GeoJSONSeq",
        COORDINATE_PRECISION="7",
        ID_FIELD="feature_id",
    )
    return path.read_bytes()


def frame_of(shapes):
    rng = np.random.default_rng(0)
    count = len(shapes)
    return gpd.GeoDataFrame(
        {
            "class_id": np.arange(count, dtype=np.int32) % 6,
            "class_name": [f'a "class"\n\\ é {k}' for k in range(count)],
            "area_m2": rng.random(count) * 10.0 ** rng.integers(-9, 20, count),
            "pixel_count": np.arange(1, count + 1),
            "mean_confidence": np.where(rng.random(count) < 0.5, np.nan, 51.25),
        },
        geometry=shapes,
        crs="EPSG:4326",
    )


@pytest.mark.parametrize("seed", range(3))
def test_geometries_are_those_of_gdal(seed, tmp_path):
    shapes = polygons_of(seed)
    frame = frame_of(shapes).assign(feature_id=np.arange(len(shapes)))
    lines = by_gdal(frame, tmp_path / "map.geojsonl").splitlines()
    text, ends = written_out(shapes)
    for line, first, stop in zip(lines, ends[:-1], ends[1:], strict=True):
        geometry = line[line.index(b'"geometry": ') + len(b'"geometry": ') : -2]
        assert text[first:stop].tobytes() == geometry


def test_what_gdal_takes_for_errors_of_rounding_stays():
    """GDAL makes 100.0 of 100.0000001, which is a centimetre away."""
    triangle = shapely.Polygon([(100.0000001, 0), (101, 0.5), (99.9999999, 1)])
    text, ends = written_out(np.array([triangle]))
    written = shapely.from_geojson(text[: ends[1]].tobytes())
    assert written.equals_exact(triangle, tolerance=0)


@pytest.mark.parametrize("suffix", [".geojson", ".geojsonl"])
@pytest.mark.parametrize("batch", [1000, 7], ids=["at once", "some at a time"])
def test_a_file_is_what_gdal_writes(suffix, batch, tmp_path):
    shapes = polygons_of(0)
    shapes = shapes[(np.abs(shapely.bounds(shapes)) < (180, 90, 180, 90)).all(axis=1)]
    frame = frame_of(shapes)
    path = tmp_path / f"map{suffix}"
    write_polygons(Rows.of(frame, batch), path, legend=LEGEND)
    numbered = frame.assign(feature_id=np.arange(len(frame)))
    expected = by_gdal(numbered, tmp_path / "theirs.geojsonl")
    if suffix == ".geojson":
        head = b'{"type": "FeatureCollection", "name": "map", "features": [\n'
        expected = head + expected.rstrip(b"\n").replace(b"\n", b",\n") + b"\n]}\n"
    assert path.read_bytes() == expected


def test_a_gdal_that_writes_otherwise_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(geojson, "_NO_GEOMETRY", b"none }")
    with pytest.raises(OSError, match="in another way"):
        write_polygons(
            Rows.of(frame_of(polygons_of(0)[:3]), 9),
            tmp_path / "map.geojson",
            legend=LEGEND,
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".geojson", ".geojsonl"])
@pytest.mark.parametrize("count", [2, 10])
def test_a_feature_that_was_not_written_is_missed(suffix, count, tmp_path, monkeypatch):
    rows = Rows.of(frame_of(polygons_of(0)[:count]), 4)
    path = tmp_path / f"map{suffix}"
    write_polygons(rows, path, legend=LEGEND)
    path.unlink()
    path.with_suffix(".qml").unlink()
    monkeypatch.setattr(geojson, "read_ahead", lambda *of: [*read_ahead(*of)][:-1])
    with pytest.raises(OSError, match=r"of what was written.*lines"):
        write_polygons(rows, path, legend=LEGEND)
    assert list(tmp_path.iterdir()) == []
