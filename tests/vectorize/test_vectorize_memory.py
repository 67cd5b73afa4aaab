"""Polygons of noise: forecast early, refused before memory runs out."""

import numpy as np
import pytest
import shapely
from maps import LEGEND, ArrayMap

from geoseg.errors import VectorError
from geoseg.vectorize import memory
from geoseg.vectorize.blocks import cut, trace_block
from geoseg.vectorize.drawing import Drawing
from geoseg.vectorize.polygons import polygons

NOISE = np.random.default_rng(0).integers(0, 3, (60, 64), np.uint8)


def vertices_of(frame):
    """Count the vertices of polygons, those that close a ring left out."""
    rings = frame.geometry.count_coordinates() - frame.geometry.map(
        lambda shape: len(shapely.get_rings(shape))
    )
    return int(rings.sum())


def test_what_is_counted_are_the_vertices_of_the_polygons():
    raster = ArrayMap(NOISE)
    (block,) = cut(raster.geobox, 2048)
    counted = memory.vertices_of(trace_block(raster, None, block))
    drawn = vertices_of(polygons(raster, legend=LEGEND))
    assert drawn <= counted <= 1.25 * drawn  # nodes without a corner are counted, too


@pytest.mark.parametrize(("free", "ends"), [(10**9, "well"), (1, "refused")])
def test_noise_is_refused_before_memory_runs_out(free, ends, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: free)
    said = []
    if ends == "refused":
        with pytest.raises(VectorError, match=r"corners a pixel.*`min_area`"):
            polygons(ArrayMap(NOISE), legend=LEGEND, warn=said.append)
    else:
        polygons(ArrayMap(NOISE), legend=LEGEND, warn=said.append)
    assert said == []


def test_a_map_that_begins_with_noise_is_warned_of_and_drawn(monkeypatch):
    pixels = np.zeros((60, 64), np.uint8)
    pixels[:16, :16] = NOISE[:16, :16]
    monkeypatch.setattr(memory, "free_memory", lambda: 400_000)
    said = []
    frame = polygons(ArrayMap(pixels), legend=LEGEND, block=16, warn=said.append)
    assert len(said) == 1
    assert "the job stops if it goes on so" in said[0]
    assert frame.pixel_count.sum() == pixels.size


def test_merging_takes_less(monkeypatch):
    raster = ArrayMap(NOISE)
    (block,) = cut(raster.geobox, 2048)
    vertices = memory.vertices_of(trace_block(raster, None, block))
    monkeypatch.setattr(memory, "free_memory", lambda: 65 * vertices)
    with pytest.raises(VectorError, match="`min_area`"):
        polygons(raster, legend=LEGEND)
    assert len(polygons(raster, legend=LEGEND, drawing=Drawing(min_pixels=20)))


def test_memory_that_is_free_is_less_than_the_machine_has():
    assert 0 < memory.free_memory() < 2**50
