"""GDAL's cache stays small while any thread of ours reads, whichever leaves first."""

import threading

import pytest
from rasterio.env import get_gdal_config, set_gdal_config

from geoseg.scene.files.datasets import our_settings
from geoseg.storage.gdal_cache import CACHE, ONCE, small_cache


@pytest.fixture
def usual(monkeypatch):
    """Give the size that others left; nothing is said of it in the environment."""
    monkeypatch.delenv("GDAL_CACHEMAX", raising=False)
    before = get_gdal_config("GDAL_CACHEMAX")
    set_gdal_config("GDAL_CACHEMAX", 123_000_000)
    yield 123_000_000
    set_gdal_config("GDAL_CACHEMAX", before)


@pytest.mark.parametrize("inside", [small_cache, our_settings])
def test_the_first_thread_that_leaves_does_not_let_the_cache_of_others_grow(
    usual, inside
):
    entered, leave = threading.Event(), threading.Event()

    def read():
        with inside():
            entered.set()
            leave.wait(9)

    first = threading.Thread(target=read)
    first.start()
    entered.wait(9)
    with inside():
        leave.set()
        first.join()
        assert get_gdal_config("GDAL_CACHEMAX") == CACHE
    assert get_gdal_config("GDAL_CACHEMAX") == usual


def test_what_the_environment_says_of_the_cache_holds(usual, monkeypatch):
    monkeypatch.setenv("GDAL_CACHEMAX", "77")
    with our_settings():
        assert get_gdal_config("GDAL_CACHEMAX") == usual


def test_what_is_entered_first_says_how_large_the_cache_is(usual):
    with small_cache(ONCE), our_settings():
        assert get_gdal_config("GDAL_CACHEMAX") == ONCE
    with our_settings(), small_cache(ONCE):
        assert get_gdal_config("GDAL_CACHEMAX") == CACHE
    assert get_gdal_config("GDAL_CACHEMAX") == usual
