"""A model of several inputs: each read in its own way, on one grid, as one scene."""

import json
import pickle
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from several_inputs import CORNER, INPUTS, expected, make_files, save_model, write

import geoseg
from geoseg.cli import main
from geoseg.models.find import load_package
from geoseg.models.open_inputs import open_for


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return make_files(tmp_path_factory.mktemp("files"))


def call(*arguments):
    return CliRunner().invoke(main, [str(word) for word in arguments])


def mapped(output, model, *arguments):
    result = call("segment", "--model", model, "-o", output, "--quiet", *arguments)
    assert result.exit_code == 0, result.stderr
    with rasterio.open(output / "landcover.tif") as dataset:
        return dataset.read(1), result.stderr


def named(flags):
    """Give what flags name as Python takes it."""
    given = {}
    for flag in flags:
        _, name, path = flag.split("=")
        given.setdefault(name, []).append(path)
    return given


def refused(model, *arguments):
    result = call("segment", "--model", model, "-o", "gone", "--quiet", *arguments)
    assert result.exit_code == 2, result.output
    (sentence,) = result.stderr.strip().splitlines()
    return sentence


def test_each_input_is_read_in_its_own_unit_and_put_together_by_its_own_dates(
    tmp_path, model, files
):
    flags, bands, valid = files
    found, message = mapped(tmp_path / "map", model, *flags)
    wanted, sure = expected(bands, valid)
    assert (found == wanted)[sure].all()
    assert sure.mean() > 0.99
    assert set(np.unique(found)) == {1, 3, 4, 255}
    assert message.count("geoseg: warning: ") == 1  # of scores that are all alike


def test_a_file_that_takes_dates_as_bands_gives_the_same_map(tmp_path, model, files):
    folded = save_model(tmp_path, timed=False)
    flags, _, _ = files
    one, _ = mapped(tmp_path / "one", model, *flags)
    other, _ = mapped(tmp_path / "other", folded, *flags)
    assert (one == other).all()


def test_neither_blocks_nor_the_order_of_flags_show(tmp_path, model, files):
    flags, _, _ = files
    mapped(tmp_path / "plain", model, *flags)
    mapped(tmp_path / "other", model, *flags[::-1], "--block=1")
    for file in ("landcover.tif", "confidence.tif", "landcover.geojson"):
        one, other = (tmp_path / name / file for name in ("plain", "other"))
        assert one.read_bytes() == other.read_bytes()


def test_a_worker_reads_the_same_however_windows_are_cut(model, files):
    scene, _ = open_for([model], named(files[0]), geoseg.SceneOptions())
    whole, there = scene.read(scene.window)
    sent = pickle.loads(pickle.dumps(scene))  # noqa: S301  # made here
    sent.check()
    assert sent.identity() == scene.identity()
    for row in range(0, 150, 47):
        window = geoseg.Window(row, 13, min(47, 150 - row), 101)
        pixels, valid = sent.read(window, [2, 0])
        assert (valid == there[window.slices()]).all()
        wanted = whole[[2, 0]][(slice(None), *window.slices())]
        assert (pixels == wanted)[:, valid].all()


def test_the_bands_are_those_of_each_scene_by_itself_on_the_grid_of_the_first(
    tmp_path, model, files
):
    flags, bands, _ = files
    given = named(flags)
    shifted = write(
        tmp_path / "dem.tif",
        np.arange(1, 6001, dtype=np.float32).reshape(60, 100),
        size=20,
        crs="EPSG:32632",
        transform=rasterio.Affine(30, 0, 808_000, 0, -30, 5_808_400),
    )
    scene, _ = open_for([model], {**given, "dem": shifted}, geoseg.SceneOptions())
    alone = geoseg.open_scene(
        shifted, geoseg.SceneOptions(like=given["s2"][0], resampling="nearest")
    )
    pixels, there = scene.read(scene.window)
    own, has = alone.read(alone.window)
    assert scene.bands == ("s2:spring:B04", "s2:summer:B04", "dem:elevation")
    assert (pixels[2][has] == own[0][has]).all()
    assert (there == has).all()
    assert has.any()
    assert not has.all()
    np.testing.assert_allclose(
        pixels[:2, there] * 0.0001, bands[:2, there], rtol=0, atol=1e-6
    )


def test_where_any_input_will_do_the_others_read_as_nothing(tmp_path, model, files):
    flags, bands, valid = files
    with rasterio.open(named(flags)["s2"][1]) as newest:
        spring = newest.read(1) * 0.0001 - 0.1
    heights = np.where(valid, bands[2], np.nan)[::2, ::2].astype(np.float32)
    dem = write(tmp_path / "dem.tif", heights, size=20, nodata=np.nan)
    wanted, sure = expected(
        np.stack([spring, bands[1], np.where(valid, bands[2], 0)]), np.ones_like(valid)
    )
    # Composites weigh whole pixels: of dates the newest counts.
    ways = "--valid=any", "--mosaic=newest-clear"
    found, _ = mapped(tmp_path / "map", model, *flags[:-1], f"--input=dem={dem}", *ways)
    assert not valid.all()
    assert (found == wanted)[sure].all()


def test_a_killed_run_is_taken_up_and_other_inputs_are_refused(tmp_path, model, files):
    flags, _, _ = files
    whole, _ = mapped(tmp_path, model, *flags, "--block=1", "--keep-parts")
    journal = tmp_path / ".geoseg" / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)

    def cut_short():
        for file in tmp_path.iterdir():
            if file.is_file():
                file.unlink()
        journal.write_text("".join(lines[: len(lines) // 2]))

    cut_short()
    again, _ = mapped(tmp_path, model, *flags, "--block=1", "--keep-parts")
    assert (again == whole).all()
    assert len(journal.read_text().splitlines()) == len(lines)
    cut_short()
    high = write(tmp_path / "x" / "dem.tif", np.ones((75, 100), np.float32), size=20)
    others = [*flags[:-1], f"--input=dem={high}"]
    result = call("segment", "--model", model, "-o", tmp_path, "--quiet", *others)
    assert result.exit_code == 2
    assert "dem" in result.stderr


def test_python_takes_inputs_by_name_and_arrays_among_them(tmp_path, model, files):
    flags, _, _ = files
    given = named(flags)
    given["dem"] = geoseg.open_scene(given["dem"]).to_xarray()
    options = geoseg.SegmentOptions(model=model, formats="none")
    geoseg.segment(given, tmp_path / "a", options=options)
    mapped(tmp_path / "b", model, *flags, "--format=none")
    one, other = (tmp_path / name / "landcover.tif" for name in "ab")
    assert one.read_bytes() == other.read_bytes()


def test_plan_and_info_and_verify_take_inputs(model, files):
    flags, _, _ = files
    planned = call("plan", "--model", model, *flags, "--json")
    assert planned.exit_code == 0, planned.stderr
    assert json.loads(planned.stdout)["scene_pixels"] == 150 * 200
    seen = call("info", "--model", model, *flags, "--json")
    assert seen.exit_code == 0, seen.stderr
    bands = json.loads(seen.stdout)["bands"]
    assert [each["name"] for each in bands] == [
        "s2:spring:B04", "s2:summer:B04", "dem:elevation"
    ]  # fmt: skip
    checked = call("verify", model, *flags, "--json")
    assert checked.exit_code == 0, checked.stderr
    assert json.loads(checked.stdout)["agreements"][0]["changed_pixels"] == 0


def test_tile_and_suggest_and_calibrate_take_inputs(tmp_path, model, files):
    flags, bands, valid = files
    truth, _ = expected(bands, valid)
    rng = np.random.default_rng(2)
    wrong = rng.random(truth.shape) < 0.3  # else no temperature is the best one
    marks = np.where(wrong & valid, 1, truth).astype(np.uint8)
    labels = write(tmp_path / "labels.tif", marks, nodata=255)
    calibrated = tmp_path / "calibrated"
    done = call(
        *("models", "calibrate", model, *flags, "--labels", labels, "-o", calibrated),
        *("--held-out-block", 32),
    )
    assert done.exit_code == 0, done.stderr
    assert load_package(calibrated).temperature > 0.05
    points = tmp_path / "next.gpkg"
    done = call("suggest", *flags, "--model", model, "--points", 9, "-o", points)
    assert done.exit_code == 0, done.stderr
    assert len(geopandas.read_file(points)) == 9
    two, chips = (flags[2], flags[4]), tmp_path / "chips"
    done = call("tile", *two, "--chip", 64, "-o", chips)
    assert done.exit_code == 0, done.stderr
    first = min((chips / "images").iterdir())
    with rasterio.open(first) as dataset:
        assert dataset.descriptions == ("s2:B04", "dem:elevation")
        assert (set(dataset.scales), set(dataset.offsets)) == ({1.0}, {0.0})
        found, there = dataset.read(), dataset.read_masks(1) > 0
    assert np.allclose(found[0], bands[1, :64, :64], atol=1e-6)
    assert there.all()


def test_inputs_are_one_scene_and_not_several(model, files):
    for command in ("segment", "plan"):
        result = call(command, "--model", model, *files[0], "--each", "-o", "gone")
        assert result.exit_code == 2
        assert "inputs by name are one scene; leave out --each" in result.stderr


def test_a_card_comes_back_with_its_inputs_and_shows_them(model):
    package = load_package(model)
    assert [each.name for each in package.inputs] == ["s2", "dem"]
    s2, dem = package.inputs
    assert s2.dates == (("spring", "03-01/05-15"), ("summer", "06-15/08-31"))
    assert (s2.scale, s2.mosaic, dem.resampling) == (0.0001, "median", "nearest")
    assert package.bands[1].mean == pytest.approx(0.1)
    assert package.units == ((0.0001, 0.0), (0.0001, 0.0), (1.0, 0.0))
    item = json.loads((model / "mlm.json").read_text())["properties"]
    structures = [each["input"] for each in item["mlm:input"]]
    assert structures[0]["dim_order"] == ["batch", "time", "bands", "height", "width"]
    assert structures[0]["shape"] == [-1, 2, 1, 64, 64]
    shown = call("models", "show", model)
    assert "spring 03-01/05-15" in shown.stdout


def test_bad_inputs_are_refused_in_a_sentence(tmp_path, model, files):
    flags, _, _ = files
    s2, dem = flags[:-1], flags[-1]
    assert "missing: dem" in refused(model, *s2)
    assert "unknown: slope" in refused(model, *flags, f"--input=slope={dem[12:]}")
    alone = refused(model, s2[0].split("=")[2])
    assert "takes several inputs, s2 (B04; of spring 03-01/05-15" in alone
    winter = refused(model, *s2[:2], s2[3], dem)
    assert "input s2: nothing was acquired in the window summer (06-15/08-31)" in winter
    assert "2023-03-20, 2024-01-01, 2024-05-15" in winter
    away = write(
        tmp_path / "dem.tif",
        np.ones((9, 9), np.float32),
        size=20,
        transform=CORNER @ rasterio.Affine.translation(5000, 0),
    )
    apart = refused(model, *s2, f"--input=dem={away}")
    assert "input dem: no file lies on" in apart
    assert "13.5" in apart
    assert "14.2" in apart
    blue = write(tmp_path / "blue.tif", np.ones((150, 200), np.uint16))
    with rasterio.open(blue, "r+") as dataset:
        dataset.set_band_description(1, "B02")
    lacking = refused(model, f"--input=s2={blue}", dem)
    assert "input s2: the model needs the bands B04 (red); the scene has B02" in lacking
    assert "does not say of which input" in refused(model, *flags, "--mask=scl:cloud")
    both = refused(model, "scene.tif", *flags)
    assert "give one of both" in both


def test_windows_of_dates_go_round_the_turn_of_the_year(tmp_path, files):
    flags, _, _ = files
    winter = {**INPUTS[0], "dates": {"winter": "11-15/02-15", "2024": "2024-07"}}
    with pytest.raises(geoseg.InputError, match="no name of an input or a date"):
        save_model(tmp_path, inputs=(winter, INPUTS[1]), name="bad")
    winter["dates"] = {"winter": "11-15/02-15", "july": "2024-07"}
    model = save_model(tmp_path, inputs=(winter, INPUTS[1]), name="winter")
    scene, _ = open_for([model], named(flags), geoseg.SceneOptions())
    taken = [Path(part.members[0].name).name for _, part in scene.parts[:2]]
    assert taken == ["d.tif", "c.tif"]
