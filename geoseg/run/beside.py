"""What of a delivery is made while blocks are inferred: all but pictures and files.

Parts go into the rasters as the journal names them, what of these is final is traced,
and the scene is read for its pictures, in the time that inference leaves over; what is
left when the last block is done is the end of each.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from geoseg.geo.band_names import find_rgb
from geoseg.geo.embeddings import MANY
from geoseg.report.preview import read_draft
from geoseg.run.rasters import Measured, write_rasters
from geoseg.run.vectors import Vectors
from geoseg.storage.staging import staged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geoseg.predict import TilePredictor
    from geoseg.progress import OnStep, Step
    from geoseg.report.overview import Overview
    from geoseg.run.configuration import RunConfig
    from geoseg.run.journal.journal import Following, Journal
    from geoseg.scene import Scene
    from geoseg.vectorize.arriving import ArrivingMap


@contextmanager
def made_beside(config: RunConfig, journal: Journal) -> Iterator[Beside]:
    """Make the products of a run in a folder of their own, and put them in place.

    Args:
        config: The run.
        journal: Its journal, open until the products are made.

    Yields:
        What is made while blocks are inferred, once it has begun.

    Raises:
        DiskError: The disk is full or cannot be written.

    """
    with staged(config.output.folder) as folder:
        beside = Beside(config.made_in(folder), journal)
        try:
            yield beside
        finally:
            beside.stop()
    config.output.publish()


class Beside:
    """The rasters, polygons and draft of a run, in threads that follow it."""

    def __init__(self, made: RunConfig, journal: Journal) -> None:
        """Begin with none; rasters that have not begun are made when asked for."""
        self.made = made
        """The run, with products in the folder where they are made."""
        self._journal = journal
        self._threads = ThreadPoolExecutor(3, thread_name_prefix="beside")
        self._following: Following | None = None
        self._rasters: Future[Measured] | None = None
        self._draft: Future[Overview | None] | None = None
        self._vectors: Vectors | None = None

    def following(self, on_step: OnStep) -> OnStep:
        """Have it begin with the first step of the inference.

        By then the run has forgotten what an earlier one left damaged.
        """

        def follow(step: Step) -> None:
            if step.name == "infer" and self._following is None:
                self._begin()
            said = self.warnings()
            on_step(replace(step, warnings=(*step.warnings, *said)) if said else step)

        return follow

    def rasters(self) -> Measured:
        """Give what there is on the map, when its rasters are written.

        Blocks are inferred by now, and the draft is begun at the latest.
        """
        if self._rasters is None or self._following is None:
            self._begin_others()
            return write_rasters(self.made, self._journal, None, self._arriving)
        self._following.end()
        return self._rasters.result()

    def warnings(self) -> tuple[str, ...]:
        """Give what was said of polygons since this was asked for the last time."""
        return () if self._vectors is None else self._vectors.warnings()

    def write_vectors(self) -> None:
        """Write all files of polygons, after the rasters."""
        if self._vectors is not None:
            self._vectors.write()

    def draft(self) -> Overview | None:
        """Give the scene at the resolution of its pictures; None of many bands.

        It is begun when rasters are asked for, which come first.
        """
        return None if self._draft is None else self._draft.result()

    def stop(self) -> None:
        """End what is under way, and let go of the files in the folder."""
        if self._following is not None:
            self._following.stop()
        if self._vectors is not None:
            self._vectors.stop()
        self._threads.shutdown(cancel_futures=True)
        if self._vectors is not None:
            self._vectors.close()
        self._draft = self._vectors = None

    def _begin(self) -> None:
        self._following = following = self._journal.follow()
        self._begin_others()
        self._rasters = self._threads.submit(
            write_rasters, self.made, self._journal, following, self._arriving
        )
        self._rasters.add_done_callback(lambda _: following.stop())

    def _begin_others(self) -> None:
        """Begin the draft, and to wait for what can be traced."""
        self._draft = self._threads.submit(self._read_draft)
        if self.made.options.vector_formats:
            self._vectors = Vectors(self.made)
            self._vectors.begin(self._threads)  # known by now to whoever stops it

    @property
    def _arriving(self) -> ArrivingMap | None:
        """Where the squares of the map go, if anywhere."""
        return None if self._vectors is None else self._vectors.map

    def _read_draft(self) -> Overview | None:
        scene, area = self.made.scene, self.made.aoi.window
        return read_draft(
            scene,
            shown_bands(scene, self.made.predictor),
            scene.geobox.crop(area),
            self.made.options.report_size,
            self.made.output.folder,
        )


def shown_bands(scene: Scene, predictor: TilePredictor) -> tuple[int, ...]:
    """Choose the bands of a scene that a picture shows red, green and blue.

    By the scene's own names and colours, else by those of the first model's bands, else
    all of many, whose principal components are shown, or the first three; one alone is
    shown grey.
    """
    found = find_rgb(scene.bands, scene.common_names)
    if found is not None:
        return found
    model = predictor.models[0]
    bands = model.package.bands
    of_model = find_rgb([b.name for b in bands], [b.common_name for b in bands])
    if of_model is not None:
        red, green, blue = (predictor.bands[model.indices[i]] for i in of_model)
        return red, green, blue
    if len(scene.bands) > MANY:
        return tuple(range(len(scene.bands)))
    return (0, 1, 2) if len(scene.bands) > 2 else (0, 0, 0)  # noqa: PLR2004  # of RGB
