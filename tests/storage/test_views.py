"""Layers of GeoPackages that are computed while they are read: bounded."""

import sqlite3
from contextlib import closing

import geopandas
import pytest
import shapely

from geoseg.errors import AoiError
from geoseg.storage.vectors import views
from geoseg.storage.vectors.read import AREA, read_layer

ENDLESS = (
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) "
    "SELECT r.n AS fid, t.geom AS geom FROM r, t"
)


@pytest.fixture
def with_view(tmp_path):
    """Give what makes a GeoPackage of one polygon with a layer that is a view."""

    def make(question):
        path = tmp_path / "areas.gpkg"
        frame = geopandas.GeoDataFrame(geometry=[shapely.box(13, 52, 14, 53)], crs=4326)
        frame.to_file(path, layer="t")
        with closing(sqlite3.connect(path)) as database:
            database.execute(f"CREATE VIEW v AS {question}")
            database.execute(
                "INSERT INTO gpkg_contents SELECT 'v', 'features', 'v', '', "
                "last_change, min_x, min_y, max_x, max_y, srs_id FROM gpkg_contents"
            )
            database.execute(
                "INSERT INTO gpkg_geometry_columns SELECT 'v', column_name, "
                "geometry_type_name, srs_id, z, m FROM gpkg_geometry_columns"
            )
            database.commit()
        return f"{path}|layer=v"

    return make


def test_a_view_without_end_is_refused(with_view, monkeypatch):
    monkeypatch.setattr(views, "_SECONDS", 0.3)
    with pytest.raises(AoiError, match=r"cannot be read in 0\.3 s \(interrupted\)"):
        read_layer(with_view(ENDLESS), AREA)


def test_a_view_of_too_many_rows_is_refused(with_view, monkeypatch):
    monkeypatch.setattr(views, "_MOST", 1000)
    some = ENDLESS.replace("FROM r)", "FROM r WHERE n < 2000)")
    with pytest.raises(AoiError, match=r"is a view of more than 1,000 rows"):
        read_layer(with_view(some), AREA)


def test_a_view_that_ends_is_read_as_a_table(with_view):
    assert len(read_layer(with_view("SELECT fid, geom FROM t"), AREA).shapes) == 1
