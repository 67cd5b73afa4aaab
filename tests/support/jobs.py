"""Small jobs for the engine, run and painted; what tests of it share."""

from __future__ import annotations

import numpy as np
from fakes import ArrayArea, ArraySource

from geoseg.predict.layers import Layers
from geoseg.run.engine import run
from geoseg.run.journal.disk import DiskStore
from geoseg.run.journal.journal import open_journal
from geoseg.run.journal.objects import ObjectStore
from geoseg.run.parts import read_parts
from geoseg.run.plan import lay_tiles, make_plan
from geoseg.run.tasks import SegmentJob
from geoseg.storage.bucket import Bucket
from geoseg.storage.remote import as_url

NODATA = 255
IDS = (2, 3, 7)


def make_job(
    source,
    area,
    predictor,
    directory,
    *,
    tile=16,
    overlap=4,
    block=2,
    blend="hann",
    layers=None,
):
    lattice = lay_tiles(
        source.geobox, area.window, tile=tile, overlap=overlap, block=block
    )
    plan = make_plan(
        source.geobox,
        lattice,
        area=area.window,
        touches=area.touches,
        identity={"test": "1"},
    )
    store = make_store(directory)
    return SegmentJob(
        plan, source, predictor, area, blend, layers or Layers(IDS), store
    )


def make_store(directory):
    """Give the store of a run directory, on a disk or on an object store."""
    url = as_url(directory)
    return ObjectStore(Bucket(url)) if url else DiskStore(directory)


def do(job, client, **options):
    """Run a job and paint its parts: the bands of the output raster."""
    store = job.store
    directory = store.directory if isinstance(store, DiskStore) else store.bucket.url
    with open_journal(directory, job.plan.identity) as journal:
        progress = run(job, journal, client, lambda _: None, **options)
        shape = (job.layers.count, job.plan.area.height, job.plan.area.width)
        painted = np.full(shape, NODATA, np.uint8)
        for window, values in read_parts(job.plan, journal):
            seen = window.relative_to(job.plan.area)
            painted[(slice(None), *seen.slices())] = values
    return painted, progress


def make_scene(seed, height=53, width=67, nodata_share=0.0):
    rng = np.random.default_rng(seed)
    values = rng.random((2, height, width)).astype(np.float32)
    valid = rng.random((height, width)) >= nodata_share
    return ArraySource(values, valid)


def whole(source):
    return ArrayArea(np.ones(source.valid.shape, bool))
