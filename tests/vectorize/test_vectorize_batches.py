"""Polygons drawn and written some at a time: nobody can see how many."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal
from maps import LEGEND, ArrayMap, terrain

from geoseg.errors import DiskError
from geoseg.storage.mapped import Arrays
from geoseg.storage.vectors import geoparquet
from geoseg.storage.vectors.rows import Batch, Rows, together
from geoseg.storage.vectors.write import write_polygons
from geoseg.vectorize import polygonize, table
from geoseg.vectorize import polygons as polygons_module
from geoseg.vectorize.blocks import BLOCK, trace_blocks
from geoseg.vectorize.drawing import Drawing
from geoseg.vectorize.polygonize import write_drawn
from geoseg.vectorize.polygons import draw_polygons, polygons

PIXELS = terrain(3, (61, 67), 2)
DRAWINGS = {
    "exact": Drawing(),
    "tidy": Drawing(min_pixels=5, tolerance=1.5, smoothing=1),
    "by corners": Drawing(connectivity=8),
    "dissolved": Drawing(dissolve=True),
    "some classes": Drawing(classes=frozenset({1})),
    "no class there": Drawing(classes=frozenset({5})),
}


@pytest.fixture
def _few_at_a_time(monkeypatch):
    monkeypatch.setattr(table, "_MOST_ROWS", 7)


def frames(drawn):
    return [batch.frame() for batch in drawn.batches()]


def draw(drawing, block=BLOCK, **how):
    raster = ArrayMap(PIXELS)
    percent = ArrayMap((PIXELS * 30 % 101).astype(np.uint8))
    return draw_polygons(
        trace_blocks(raster, percent, block, map),
        raster.geobox,
        legend=LEGEND,
        measured=True,
        drawing=drawing,
        **how,
    )


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_batch_has_few_rows_and_together_they_are_all(name, monkeypatch):
    drawing = DRAWINGS[name]
    (whole,) = frames(draw(drawing))
    monkeypatch.setattr(table, "_MOST_ROWS", 7)
    batches = frames(draw(drawing))
    for batch in batches:
        assert len(batch) <= 7
    together = polygons(
        ArrayMap(PIXELS),
        legend=LEGEND,
        confidence=ArrayMap((PIXELS * 30 % 101).astype(np.uint8)),
        drawing=drawing,
    )
    assert_geodataframe_equal(together, whole)
    assert len(batches) > 1 or name == "dissolved"


def test_a_batch_of_large_polygons_has_few_of_them(monkeypatch):
    (whole,) = frames(draw(Drawing()))
    counts = whole.geometry.count_coordinates()
    monkeypatch.setattr(table, "_MOST_VERTICES", 100)
    batches = frames(draw(Drawing()))
    assert_geodataframe_equal(together(batches), whole)
    assert counts.max() > 100
    for batch in batches:
        assert len(batch) == 1 or batch.geometry.count_coordinates().sum() <= 150
    assert len(batches) < len(whole) / 2


@pytest.mark.parametrize("suffix", [".geojson", ".parquet", ".fgb"])
def test_files_do_not_show_in_how_many_parts_they_were_drawn(
    suffix, tmp_path, monkeypatch
):
    outcomes = []
    for folder in ("whole", "parts"):
        path = tmp_path / folder / f"map{suffix}"
        path.parent.mkdir()
        drawn = draw(DRAWINGS["by corners"])
        scratch = tmp_path / f"scratch {folder}"
        scratch.mkdir()
        written = write_drawn(drawn, [path], legend=LEGEND, scratch=scratch)
        outcomes.append((path.read_bytes(), [c.polygons for c in written.classes]))
        frame = polygons(ArrayMap(PIXELS), legend=LEGEND, drawing=Drawing())
        assert sum(c.area_m2 for c in written.classes) == pytest.approx(
            frame["area_m2"].sum()
        )
        monkeypatch.setattr(table, "_MOST_ROWS", 7)
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("name", DRAWINGS)
def test_lines_in_files_are_those_in_memory(name, tmp_path, monkeypatch):
    (whole,) = frames(draw(DRAWINGS[name]))
    monkeypatch.setattr(polygons_module, "Arrays", partial(Arrays, held=0))
    (again,) = frames(draw(DRAWINGS[name], scratch=tmp_path, block=23))
    assert_geodataframe_equal(again, whole)
    assert list(tmp_path.iterdir()) == []


def test_geoparquet_is_what_geopandas_writes_of_all_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "_MOST_ROWS", 7)
    monkeypatch.setattr(geoparquet, "_ROW_GROUP", 11)
    drawn = draw(DRAWINGS["by corners"])
    write_drawn(drawn, [tmp_path / "map.parquet"], legend=LEGEND, scratch=tmp_path)
    whole = pd.concat(frames(drawn), ignore_index=True)
    whole.attrs["merged_pixels"] = {}
    order = np.argsort(whole.hilbert_distance(), kind="stable")
    whole.iloc[order].to_parquet(
        tmp_path / "theirs.parquet",
        index=False,
        compression="zstd",
        schema_version="1.1.0",
        write_covering_bbox=True,
        row_group_size=11,
    )
    ours, theirs = ((tmp_path / f"{n}.parquet").read_bytes() for n in ("map", "theirs"))
    assert ours == theirs


@pytest.mark.usefixtures("_few_at_a_time")
def test_rows_that_wait_in_a_file_come_back_to_the_last_bit(tmp_path):
    drawn, seen = draw(DRAWINGS["tidy"]), []
    rows = Rows.kept(drawn.batches(), tmp_path / "rows", attrs={}, watch=seen.append)
    numbers = np.random.default_rng(1).permutation(rows.count)
    whole = polygons(
        ArrayMap(PIXELS),
        legend=LEGEND,
        confidence=ArrayMap((PIXELS * 30 % 101).astype(np.uint8)),
        drawing=DRAWINGS["tidy"],
    )
    assert_geodataframe_equal(together(list(rows.batches())), whole)
    assert_geodataframe_equal(
        rows.some(numbers), whole.iloc[numbers].reset_index(drop=True)
    )
    assert rows.count == len(whole) == sum(map(len, seen))
    shapes = whole.geometry.to_numpy()
    np.testing.assert_array_equal(rows.bounds, shapely.total_bounds(shapes))
    sizes = shapely.area(shapes) / whole["pixel_count"]
    assert rows.pixel == np.sqrt(np.median(sizes))


@pytest.mark.parametrize("name", DRAWINGS)
def test_shapes_are_written_and_measured_as_shapely_does_it(name):
    (batch,) = draw(DRAWINGS[name]).batches()
    frame = batch.frame()
    theirs = Batch.of(frame)
    assert batch.table.equals(theirs.table, check_metadata=True)
    for field in ("boxes", "areas", "vertices", "many"):
        ours = getattr(batch, field)
        np.testing.assert_array_equal(ours, getattr(theirs, field))
        assert ours.dtype == getattr(theirs, field).dtype
    assert shapely.is_valid(frame.geometry.to_numpy()).all()


def test_rows_that_find_no_room_are_a_sentence_and_leave_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.ipc.new_file", full)
    with (
        polygonize.scratch_folder(tmp_path) as folder,
        pytest.raises(DiskError, match="the disk"),
    ):
        write_drawn(
            draw(Drawing()), [tmp_path / "map.gpkg"], legend=LEGEND, scratch=folder
        )
    assert list(tmp_path.iterdir()) == []


def test_a_frame_is_written_as_its_rows_are(tmp_path):
    frame = polygons(ArrayMap(PIXELS), legend=LEGEND)
    for number, given in enumerate((frame, Rows.of(frame, 5))):
        (tmp_path / str(number)).mkdir()
        write_polygons(given, tmp_path / str(number) / "map.fgb", legend=LEGEND)
    first, second = ((tmp_path / n / "map.fgb").read_bytes() for n in "01")
    assert first == second
