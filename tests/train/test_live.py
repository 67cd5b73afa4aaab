"""A map that follows its labels: saved, fitted, mapped, and never half."""

from __future__ import annotations

import json
import sqlite3

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from shapely import Point

import geoseg
from geoseg.cli import main
from geoseg.cli.live import _Reporter
from geoseg.errors import InputError, LabelsError
from geoseg.train.live.labels_file import LabelsFile

LEFT, TOP, SIDE = 400_000, 5_800_000, 96
CLASSES = ("bare", "crop", "water")


class EndedError(KeyboardInterrupt):
    """What Ctrl-C raises, by a test."""


@pytest.fixture
def scene(make_raster):
    """Stripes of three classes that two bands distinguish."""
    truth = np.arange(SIDE)[:, None] // 8 % 3 + np.zeros((1, SIDE), int)
    means = np.array([[100, 300, 500], [500, 200, 100]])
    noise = np.random.default_rng(0).normal(0, 20, (2, SIDE, SIDE))
    return make_raster(
        values=(means[:, truth] + noise).astype(np.uint16),
        bands=("B04", "B08"),
        transform=Affine(10, 0, LEFT, 0, -10, TOP),
    )


def points(*, classes=3, columns=(13, 67)):
    """Points in the middles of stripes, as a GeoDataFrame."""
    positions = [
        (8 * s + 4, col) for s in range(12) for col in columns if s % 3 < classes
    ]
    return geopandas.GeoDataFrame(
        {"class": [CLASSES[row // 8 % 3] for row, _ in positions]},
        geometry=[Point(LEFT + 10 * c + 5, TOP - 10 * r - 5) for r, c in positions],
        crs=32632 + 1,
    )


def follow(scene, labels, output, saves, **options):
    """Run `live`, save by each of some functions after a map; give what came of all."""
    found, waiting = [], list(saves)

    def save(made):
        found.append(made)
        if not waiting:
            raise EndedError
        waiting.pop(0)()

    with pytest.raises(EndedError):
        geoseg.live(scene, labels, output, on_map=save, **options)
    return found


def classes_of(output):
    with rasterio.open(output / "landcover.tif") as dataset:
        return dataset.read(1)


def test_each_save_becomes_a_map_and_bad_labels_leave_the_last(scene, tmp_path):
    labels, output = tmp_path / "points.gpkg", tmp_path / "live"
    points(classes=2).to_file(labels, layer="points")
    kept = []

    def keep_and_save(what):
        def save():
            kept.append(classes_of(output))
            what()

        return save

    def one_class():
        points(classes=1).to_file(labels, layer="points")

    def half():
        labels.write_bytes(labels.read_bytes()[:3000])

    def three():
        labels.unlink()
        points().to_file(labels, layer="points")

    saves = [keep_and_save(each) for each in (one_class, half, three)]
    made = follow(scene, labels, output, saves)
    assert [bool(each.refusal) for each in made] == [False, True, True, False]
    assert "one class" in made[1].refusal or "two" in made[1].refusal
    assert np.array_equal(kept[0], kept[1])
    assert np.array_equal(kept[0], kept[2])
    assert set(np.unique(kept[0])) == {0, 1}
    assert set(np.unique(classes_of(output))) == {0, 1, 2}
    assert made[-1].trained.accuracy.overall > 0.9
    report = json.loads((output / "run.json").read_text())
    assert report["models"][0]["fingerprint"] == made[-1].trained.package.fingerprint
    assert not [each for each in output.rglob("*") if "fitting" in each.name]


def test_inputs_by_name_are_followed_as_one_scene(scene, tmp_path):
    labels, output = tmp_path / "points.gpkg", tmp_path / "live"
    points().to_file(labels, layer="points")
    inputs = {"before": scene, "after": scene}
    (made,) = follow(inputs, labels, output, [], options=geoseg.LiveOptions())
    assert not made.refusal
    assert [each.name for each in made.trained.package.inputs] == ["before", "after"]
    assert set(np.unique(classes_of(output))) == {0, 1, 2}


def test_the_map_is_that_of_train_and_segment(scene, tmp_path):
    labels, output = tmp_path / "points.geojson", tmp_path / "live"
    points().to_crs(4326).to_file(labels)
    follow(scene, labels, output, [])
    trained = geoseg.TrainOptions(head="discriminant")
    geoseg.train([scene], labels, tmp_path / "model", options=trained)
    geoseg.segment(
        scene,
        tmp_path / "map",
        options=geoseg.SegmentOptions(model=tmp_path / "model", formats="none"),
    )
    assert np.array_equal(classes_of(output), classes_of(tmp_path / "map"))


def test_a_save_into_the_log_of_an_open_geopackage_is_seen(scene, tmp_path):
    labels, output = tmp_path / "points.gpkg", tmp_path / "live"
    points().to_file(labels, layer="points", SPATIAL_INDEX="NO")  # of GDAL's functions
    editor = sqlite3.connect(labels)
    assert editor.execute("pragma journal_mode=wal").fetchone() == ("wal",)
    log = labels.with_name("points.gpkg-wal")

    def rename():
        before = labels.stat().st_mtime_ns, labels.stat().st_size
        editor.execute("update points set class = 'meadow' where class = 'crop'")
        editor.commit()
        assert (labels.stat().st_mtime_ns, labels.stat().st_size) == before
        assert log.stat().st_size > 0  # as QGIS does: the log alone is another

    try:
        made = follow(scene, labels, output, [rename])
    finally:
        editor.close()
    names = [each.name for each in made[-1].trained.package.legend]
    assert names == ["bare", "meadow", "water"]


def test_a_file_that_is_saved_as_it_was_is_not_mapped_again(scene, tmp_path):
    labels = tmp_path / "points.geojson"
    points().to_file(labels)

    def touch_then_change():
        text = labels.read_text()
        labels.write_text(text + "\n")
        watched = LabelsFile(labels)
        watched.wait_for_save()  # so that it was another file for a while
        labels.write_text(text.replace("water", "lake") + "\n\n")

    made = follow(scene, labels, tmp_path / "live", [touch_then_change])
    assert [each.number for each in made] == [1, 2]
    assert "lake" in [each.name for each in made[-1].trained.package.legend]


def test_what_can_never_work_is_refused_at_once(scene, tmp_path):
    labels = tmp_path / "points.geojson"
    with pytest.raises(LabelsError, match="does not exist; make a file of labels"):
        geoseg.live(scene, labels, tmp_path / "live")
    points().to_file(labels)
    with pytest.raises(InputError, match="does not exist"):
        geoseg.live(tmp_path / "none.tif", labels, tmp_path / "live")
    with pytest.raises(InputError):
        geoseg.live(scene, labels, tmp_path / "live", aoi="0,0,1,1")
    assert not (tmp_path / "live").exists()


def test_the_command_names_each_map_and_ends_by_ctrl_c(scene, tmp_path, monkeypatch):
    labels = tmp_path / "points.geojson"
    points().to_file(labels)
    waited = LabelsFile.wait_for_save

    def once(self):
        if self.seen:
            raise EndedError
        waited(self)

    monkeypatch.setattr(LabelsFile, "wait_for_save", once)
    said = ["live", scene, "--labels", labels, "-o", tmp_path / "live"]
    result = CliRunner().invoke(main, [str(each) for each in said])
    assert result.exit_code == 130
    assert "map 1 in " in result.stdout
    assert "bare 8, crop 8, water 8 labelled pixels" in result.stdout
    assert "Ctrl-C ends it" in result.stderr
    assert "stopped; the same command carries on from here" in result.stderr
    assert classes_of(tmp_path / "live").shape == (SIDE, SIDE)


def test_a_warning_of_which_figures_alone_change_is_said_once(capsys):
    reporter = _Reporter(quiet=False, as_json=False)
    for said in ("an error of 0.073", "an error of 0.071", "left out 2", "left out 3"):
        reporter.warn(geoseg.Step("prepare", warnings=(said,)))
    lines = capsys.readouterr().err.splitlines()
    found = [line.removeprefix("geoseg: warning: ") for line in lines]
    assert found == ["an error of 0.073", "left out 2", "left out 3"]
