"""Flags are made of the fields of options: each option is written once."""

from dataclasses import fields

import click
import pytest
from click.testing import CliRunner

import geoseg
from geoseg.cli import COMMANDS, main
from geoseg.cli.options import flags_of, options_of
from geoseg.cli.spelling import spelled
from geoseg.options import (
    ComputeOptions,
    ExecutionOptions,
    ModelOptions,
    SegmentOptions,
    TilingOptions,
    about,
)

NESTED = (geoseg.SceneOptions, geoseg.PolygonOptions)


def asked(*arguments):
    """Give the options that a command line asks for."""
    found = []

    @click.command()
    @flags_of(SegmentOptions)
    def command(**flags):
        found.append(options_of(SegmentOptions, flags))
        assert not flags, "every flag is a field"

    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return found[0]


def test_without_flags_the_options_are_those_of_python():
    assert asked() == SegmentOptions()


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--tile", "64", "--blend", "mean"], {"tile": 64, "blend": "mean"}),
        (["--format", "gpkg", "--format", "shp"], {"formats": ("gpkg", "shp")}),
        (["--mask-classes", "cloud,haze"], {"mask_classes": ("cloud", "haze")}),
        (["--crf"], {"crf": geoseg.CrfOptions()}),
        (
            ["--bands", "3,1", "--resolution", "10,20", "--nodata", "none"],
            {
                "scene": geoseg.SceneOptions(
                    numbers=(3, 1), resolution=(10.0, 20.0), nodata="none"
                )
            },
        ),
        (
            ["--connectivity", "8", "--classes", "water"],
            {"polygons": geoseg.PolygonOptions(connectivity=8, classes=("water",))},
        ),
    ],
)
def test_a_flag_is_the_keyword_of_that_name(arguments, wanted):
    assert asked(*arguments) == SegmentOptions(**wanted)


@pytest.mark.parametrize(
    ("command", "kinds"),
    [
        ("segment", (SegmentOptions, *NESTED)),
        ("train", (geoseg.TrainOptions,)),
        ("tile", (geoseg.TileOptions,)),
    ],
)
def test_every_option_has_a_flag(command, kinds):
    told = CliRunner().invoke(main, [command, "--help"], terminal_width=120).output
    for kind in kinds:
        for each in fields(kind):
            if (text := about(each)) is not None:
                name = text.flag or each.name.replace("_", "-")
                assert f"--{name} " in told, each.name


def test_flags_stand_under_the_headings_of_their_values():
    told = CliRunner().invoke(main, ["segment", "--help"], terminal_width=120).output
    for heading in ("Model", "Imagery", "Products", "Tiles", "Compute", "Execution"):
        assert f"─ {heading} ─" in told


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("width", [80, 120])
def test_help_fits_the_terminal_and_has_no_colour_in_a_pipe(command, width):
    told = CliRunner().invoke(main, [command, "--help"], env={"COLUMNS": str(width)})
    assert told.exit_code == 0
    assert "\x1b" not in told.output
    assert max(map(len, told.output.splitlines())) <= width


def test_a_mask_is_made_with_the_machine_of_the_map_and_tiles_of_its_own():
    asked_for = SegmentOptions(
        model="land", mask_model="clouds", tile=64, blend="mean", batch=3, workers=2,
        run_dir="parts", restart=True, entropy=True, force=True,
    )  # fmt: skip
    mask = asked_for.for_mask(asked_for.scene)
    assert mask == SegmentOptions(
        model="clouds", blend="mean", batch=3, workers=2, run_dir="parts",
        restart=True, force=True,
    )  # fmt: skip
    for kind in (ComputeOptions, ExecutionOptions):
        assert mask.part(kind) == asked_for.part(kind)


def test_parts_compose_the_whole():
    whole = SegmentOptions(model="a", tile=32, device="cpu")
    parts = (whole.part(kind) for kind in (ModelOptions, TilingOptions, ComputeOptions))
    assert SegmentOptions.of(*parts) == whole


def test_a_sentence_names_an_option_as_its_reader_does():
    told = "give another `crs`, `precision='float32'` or `restart=True`"
    assert spelled(told) == "give another --crs, --precision float32 or --restart"
