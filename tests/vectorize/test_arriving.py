"""A map that is traced while it is written: square by square, as it comes."""

from threading import Event, Thread

import numpy as np
import pytest
from geopandas.testing import assert_geodataframe_equal
from maps import LEGEND, ArrayMap, terrain

from geoseg.errors import VectorError
from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window
from geoseg.raster.extents import squares
from geoseg.storage.vectors.rows import together
from geoseg.vectorize import arriving
from geoseg.vectorize.arriving import ArrivingMap
from geoseg.vectorize.drawing import Drawing
from geoseg.vectorize.polygons import draw_polygons, polygons

SOON_S, LONG_S = 0.2, 60


def cut_of(pixels, side):
    """Cut a map into squares as who writes rasters does."""
    for window in squares(Window(0, 0, *pixels.shape), side):
        yield window, pixels[window.slices()][np.newaxis]


def drawn_from(coming, raster, *, measured):
    """Draw the polygons of what comes."""
    drawn = draw_polygons(
        coming.traced(),
        raster.geobox,
        legend=LEGEND,
        measured=measured,
        drawing=Drawing(),
    )
    return together([batch.frame() for batch in drawn.batches()])


@pytest.mark.parametrize("measured", [True, False], ids=["measured", "classes alone"])
@pytest.mark.parametrize(
    ("shape", "side"),
    [((61, 67), 16), ((64, 48), 16), ((1, 40), 16), ((40, 1), 16), ((16, 16), 16)],
)
def test_a_map_that_arrives_has_the_polygons_of_one_that_is_there(
    shape, side, measured
):
    pixels = terrain(7, shape, 2).astype(np.uint8)
    pixels[pixels == 1] = NODATA
    raster, percent = ArrayMap(pixels), (pixels * 30 % 101).astype(np.uint8)
    coming = ArrivingMap(raster.geobox, side, measured=measured)

    def bring(put, values):
        for window, part in cut_of(values, side):
            put(window, part)

    layers = [(coming.put_classes, pixels)]
    if measured:
        layers.insert(0, (coming.put_confidence, percent))
    threads = [Thread(target=bring, args=layer, daemon=True) for layer in layers]
    for thread in threads:
        thread.start()
    found = drawn_from(coming, raster, measured=measured)
    expected = polygons(
        raster, legend=LEGEND, confidence=ArrayMap(percent) if measured else None
    )
    assert_geodataframe_equal(found, expected)
    for thread in threads:
        thread.join(LONG_S)
        assert not thread.is_alive()


def test_who_writes_waits_for_who_traces_and_not_for_another_layer(monkeypatch):
    monkeypatch.setattr(arriving, "_MOST", 2)
    pixels = np.zeros((4, 40), np.uint8)
    coming = ArrivingMap(ArrayMap(pixels).geobox, 4, measured=True)
    parts = list(cut_of(pixels, 4))
    for window, part in parts:  # ten squares, and no confidence: it may never come
        coming.put_classes(window, part)
    done = Event()

    def bring():
        for window, part in parts:
            coming.put_confidence(window, part)
        done.set()

    thread = Thread(target=bring, daemon=True)
    thread.start()
    assert not done.wait(SOON_S)  # three of both would wait to be traced
    found = drawn_from(coming, ArrayMap(pixels), measured=True)
    assert done.wait(LONG_S)
    assert len(found) == 1


def test_where_tracing_has_ended_squares_are_taken_for_nothing(monkeypatch):
    monkeypatch.setattr(arriving, "_MOST", 2)
    pixels = np.zeros((4, 40), np.uint8)
    coming = ArrivingMap(ArrayMap(pixels).geobox, 4, measured=False)
    done = Event()

    def bring():
        for window, part in cut_of(pixels, 4):
            coming.put_classes(window, part)
        done.set()

    Thread(target=bring, daemon=True).start()
    assert not done.wait(SOON_S)
    coming.stop()
    assert done.wait(LONG_S)
    with pytest.raises(VectorError, match="stopped"):
        list(coming.traced())


def test_who_traces_is_stopped_while_it_waits():
    pixels = np.zeros((4, 40), np.uint8)
    coming = ArrivingMap(ArrayMap(pixels).geobox, 4, measured=False)
    said = []

    def trace():
        with pytest.raises(VectorError, match="stopped") as refusal:
            list(coming.traced())
        said.append(refusal.value)

    thread = Thread(target=trace, daemon=True)
    thread.start()
    coming.put_classes(*next(cut_of(pixels, 4)))
    coming.stop()
    thread.join(LONG_S)
    assert len(said) == 1


def test_a_square_that_was_not_to_come_yet_is_refused():
    pixels = np.zeros((4, 40), np.uint8)
    coming = ArrivingMap(ArrayMap(pixels).geobox, 4, measured=False)
    _, second, *_ = cut_of(pixels, 4)
    coming.put_classes(*second)
    with pytest.raises(VectorError, match="was to come"):
        list(coming.traced())
