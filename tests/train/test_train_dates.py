"""Learning from windows of dates: on the pixels that a map of them is made of."""

import json

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from cloudless_season import write_season
from members import write_raster

import geoseg
from geoseg.cli import main
from geoseg.models.find import load_package
from geoseg.models.open_inputs import open_for
from geoseg.train.dataset import open_given, prepare_dataset
from geoseg.train.labelled_scenes import open_scenes
from geoseg.train.options import TrainOptions

SIDE = 96
WINDOWS = (("early", "01-01/03-31"), ("late", "2024-04/2024-06"))
DATES = tuple(f"s2:{name}={window}" for name, window in WINDOWS)
MASK = "s2:scl:cloud"


@pytest.fixture(scope="module")
def season(tmp_path_factory):
    """Write six cloudy dates, heights beside, and labels of what is high."""
    folder = tmp_path_factory.mktemp("season")
    clear, items, _ = write_season(folder, side=SIDE, dates=6, clouded=0.4)
    found = folder / "items.json"
    found.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    with rasterio.open(clear) as dataset:
        transform = dataset.transform
    rng = np.random.default_rng(1)
    high = rng.integers(1, 900, (1, SIDE // 2, SIDE // 2)).astype(np.int16)
    coarse = transform @ transform.scale(2)
    dem = write_raster(folder / "dem.tif", high, coarse, names=["elevation"])
    fine = (high > 450).repeat(2, axis=1).repeat(2, axis=2)
    marks = np.where(rng.random(fine.shape) < 0.1, fine, 255).astype(np.uint8)
    labels = write_raster(
        folder / "labels.tif", marks, transform, names=["class"], nodata=255
    )
    return {"inputs": {"s2": found, "dem": dem}, "labels": labels, "like": clear}


def words(season, *more):
    given = [f"--input={name}={path}" for name, path in season["inputs"].items()]
    grid = f"--like={season['like']}", "--resampling=nearest"
    return *given, *grid, f"--mask={MASK}", *more


def call(*arguments):
    return CliRunner().invoke(main, [str(word) for word in arguments])


def test_a_map_of_the_same_items_is_made_of_the_pixels_that_training_saw(
    tmp_path, season
):
    model = tmp_path / "model"
    dates = [f"--dates={each}" for each in DATES]
    ways = "--bands=s2:B04,s2:B08,dem:elevation", "--mosaic=median", *dates
    learned = "--labels", season["labels"], "--head=discriminant"
    fitted = call("train", *words(season, *learned, *ways), "-o", model, "--quiet")
    assert fitted.exit_code == 0, fitted.stderr
    package = load_package(model)
    s2, dem = package.inputs
    assert (s2.dates, s2.mosaic, dem.dates) == (WINDOWS, "median", ())
    assert [each.name for each in package.bands] == [
        "s2:early:B04", "s2:early:B08", "s2:late:B04", "s2:late:B08", "dem:elevation"
    ]  # fmt: skip
    how = {"like": str(season["like"]), "resampling": "nearest", "mask": (MASK,)}
    options = TrainOptions(
        bands=("s2:B04", "s2:B08", "dem:elevation"), dates=DATES, mosaic="median", **how
    )
    given = open_given(season["inputs"], season["labels"], options)
    (learned_from,) = given.scenes
    scene, ((_, match),) = open_for(
        [model], season["inputs"], geoseg.SceneOptions(**how)
    )
    indices = [band.index - 1 for band in given.bands]
    seen, there = learned_from.read(learned_from.window, indices)
    shown, valid = scene.read(scene.window, match.indices)
    assert (there == valid).all()
    assert valid.mean() > 0.8
    assert not valid.all()  # clouds on all dates of a window
    assert seen.dtype == shown.dtype
    assert (seen == shown)[:, valid].all()
    with rasterio.open(season["like"]) as dataset:
        at = [dataset.descriptions.index(band) + 1 for band in ("B04", "B08")]
        clear = dataset.read(at) * 0.0001
    # Dates of the zone beside come from a pixel nearby.
    near = np.abs(seen[:2] - clear)[:, valid] < 1e-6
    assert near.mean() > 0.7
    early = np.array([package.bands[0].mean, package.bands[2].mean])
    assert early[0] == early[1]
    mapped = call(
        "segment", *words(season), "--model", model, "-o", tmp_path / "map", "--quiet",
        "--format=none",
    )  # fmt: skip
    assert mapped.exit_code == 0, mapped.stderr


def test_dates_share_the_mean_and_deviation_of_a_band(season):
    options = TrainOptions(
        bands=("s2:B04", "dem:elevation"),
        dates=DATES,
        mosaic="newest-clear",
        mask=(MASK,),
        like=str(season["like"]),
        block=32,
        chip=16,
        gap=0,
    )
    data = prepare_dataset(season["inputs"], season["labels"], options)
    early, late, height = data.bands
    (ground,) = data.grounds
    (held_out,) = data.held_out
    assert (early.mean, early.std) == (late.mean, late.std)
    assert (early.minimum, early.maximum) == (late.minimum, late.maximum)
    assert height.mean > 1
    assert held_out is not None
    seen = ground.pixels[:][:2, ground.valid[:]]
    assert early.mean == pytest.approx(seen.mean(), rel=0.1)
    assert early.std == pytest.approx(seen.std(), rel=0.2)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--dates=s2:spring=03-32/05-15"], "input s2, dates spring: 03-32 is no day"),
        (["--dates=s2:spring=soon"], "'soon' is no window of dates; write days of"),
        (["--dates=s2:spring"], "is no window of an input; write INPUT:NAME=FROM/TO"),
        (["--dates=s1:spring=2024-05"], "the inputs are s2, dem; name one of these"),
        (["--dates=s2:a b=2024-05"], "'a b' is no name of an input or a date"),
        (["--dates=s2:a=2024-05", "--dates=s2:a=2024-06"], "give each one name"),
        (
            ["--dates=s2:autumn=09-01/10-31"],
            "nothing was acquired in the window autumn (09-01/10-31); there is 2024-01",
        ),
        (["--dates=dem:all=2024"], "dem.tif does not say when it was acquired"),
        (["--mask=cirrus:cloud"], "does not say of which input"),
        (
            ["--mosaic=nearest-clear", "--near=2024-03"],
            "--mosaic nearest-clear is of one scene, and a model of several inputs",
        ),
        (["--datetime=2023"], "nothing was acquired in --datetime 2023; there is 2024"),
    ],
)
def test_a_window_that_cannot_be_used_is_refused_in_a_sentence(
    tmp_path, season, flags, says
):
    output = tmp_path / "model"
    given = words(season, *flags, "--labels", season["labels"])
    result = call("train", *given, "-o", output, "--quiet")
    assert result.exit_code == 2, result.output
    (sentence,) = result.stderr.strip().splitlines()
    assert says in sentence
    assert not output.exists()


def test_all_bands_are_learned_from_but_the_one_that_masks(season):
    options = TrainOptions(
        dates=DATES, mosaic="median", mask=(MASK,), like=str(season["like"])
    )
    names = [band.name for band in open_scenes(season["inputs"], options)[1]]
    with rasterio.open(season["like"]) as dataset:
        measured = dataset.descriptions
    assert names == [
        *(f"s2:early:{band}" for band in measured),
        *(f"s2:late:{band}" for band in measured),
        "dem:elevation",
    ]


def test_one_scene_is_learned_from_as_a_composite_too(season):
    options = TrainOptions(
        mosaic="median", mask=("scl:cloud",), like=str(season["like"])
    )
    (scene,), bands = open_scenes([season["inputs"]["s2"]], options)
    with rasterio.open(season["like"]) as dataset:
        assert tuple(band.name for band in bands) == dataset.descriptions
    assert (scene.options.mosaic, len(scene.masks)) == ("median", 1)


def test_one_scene_is_learned_from_as_it_looked_near_a_date(season):
    said = {
        "mosaic": "nearest-clear",
        "near": "2024-03-20",
        "datetime": "2024-02/2024-05",
        "mask": ("scl:cloud",),
        "like": str(season["like"]),
    }
    items = season["inputs"]["s2"]
    (scene,), _ = open_scenes([items], TrainOptions(**said))
    months = [look.day.month for look in scene.observations]
    assert months == [3, 4, 2, 5]
    mapped = geoseg.open_scene(items, geoseg.SceneOptions(**said))
    assert mapped.recipe.rule == "nearest-clear"
    for seen, shown in zip(
        scene.read(scene.window, [2, 6]), mapped.read(mapped.window, [2, 6]),
        strict=True,
    ):  # fmt: skip
        assert np.array_equal(seen, shown)


def test_windows_are_of_inputs_by_name(tmp_path, season):
    options = geoseg.TrainOptions(dates=DATES)
    with pytest.raises(geoseg.InputError, match="an input by name, and none is given"):
        geoseg.train(
            [season["like"]], season["labels"], tmp_path / "m", options=options
        )


def test_a_warning_names_a_window_and_shows_no_picture(tmp_path, season):
    dates = "--dates=s2:b=2024", f"--labels={season['labels']}", "--bands=s2:B04"
    ways = "--mosaic=median", "--head=discriminant"
    result = call("train", *words(season, *dates, *ways), "-o", tmp_path / "model")
    assert result.exit_code == 0, result.stderr
    assert "warning: s2:b: date-1, date-3, date-5: no offset" in result.stderr
