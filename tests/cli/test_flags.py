"""Flags are made of the fields of options: each option is written once."""

import inspect
import re
from dataclasses import fields, is_dataclass

import click
import pytest
from click.testing import CliRunner

import geoseg
from geoseg.cli import COMMANDS, main
from geoseg.cli.options import flags_of, options_of
from geoseg.cli.spelling import spelled
from geoseg.options import (
    ArchitecturesKeywords,
    AreasKeywords,
    ChangeKeywords,
    ComputeOptions,
    EvaluateKeywords,
    ExecutionOptions,
    InfoKeywords,
    InspectKeywords,
    ModelOptions,
    PlanKeywords,
    PushKeywords,
    RelabelKeywords,
    SampleKeywords,
    SegmentOptions,
    TilingOptions,
    VectorizeKeywords,
    VerifyKeywords,
    ViewKeywords,
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
        ("evaluate", (EvaluateKeywords, geoseg.EvaluateOptions)),
        ("areas", (AreasKeywords,)),
        ("change", (ChangeKeywords, geoseg.ChangeOptions, geoseg.PolygonOptions)),
        ("relabel", (RelabelKeywords, geoseg.RelabelOptions, geoseg.PolygonOptions)),
        ("sample-points", (SampleKeywords, geoseg.SampleOptions)),
        ("vectorize", (VectorizeKeywords, geoseg.PolygonOptions)),
        ("verify", (VerifyKeywords, geoseg.VerifyOptions)),
        ("info", (InfoKeywords, geoseg.SceneOptions)),
        ("plan", (PlanKeywords, SegmentOptions)),
        ("models package", (geoseg.NewPackage,)),
        ("train", (geoseg.TrainOptions,)),
        ("tile", (geoseg.TileOptions,)),
    ],
)
def test_every_option_has_a_flag(command, kinds):
    result = CliRunner().invoke(main, [*command.split(), "--help"], terminal_width=120)
    for kind in kinds:
        for each in fields(kind):
            if (text := about(each)) is not None:
                name = text.flag or each.name.replace("_", "-")
                assert f"--{name} " in result.output, each.name


KEYWORDS = {
    "areas": AreasKeywords,
    "change": ChangeKeywords,
    "evaluate": EvaluateKeywords,
    "info": InfoKeywords,
    "inspect_model": InspectKeywords,
    "list_architectures": ArchitecturesKeywords,
    "plan": PlanKeywords,
    "push_model": PushKeywords,
    "relabel": RelabelKeywords,
    "sample_points": SampleKeywords,
    "vectorize": VectorizeKeywords,
    "verify": VerifyKeywords,
    "view": ViewKeywords,
}
"""The functions of `geoseg`, and what declares their keywords that have flags."""


@pytest.mark.parametrize("function", KEYWORDS)
def test_a_flag_beside_the_options_is_a_keyword_with_the_same_default(function):
    taken = inspect.signature(getattr(geoseg, function)).parameters
    for each in fields(KEYWORDS[function]):
        assert taken[each.name].default in {each.default, inspect.Parameter.empty}


@pytest.mark.parametrize(
    "kind",
    [
        getattr(geoseg, name)
        for name in (*filter(re.compile("Options$").search, dir(geoseg)), "NewPackage")
        if name != "CrfOptions"  # its numbers were measured, and are Python's alone
    ],
)
def test_every_field_that_a_user_may_set_is_an_option(kind):
    for each in fields(kind):
        if each.name != "defaults_file":  # which the command line found
            declared = about(each) is not None
            assert declared or is_dataclass(each.default_factory), each.name


_WINDOW = ("--window", "1", "2", "30", "40")


@pytest.mark.parametrize(
    ("kind", "arguments", "wanted"),
    [
        (
            geoseg.EvaluateOptions,
            ["--class-field", "lc", "--mapping", "road=,wood=tree", "--workers", "2"],
            geoseg.EvaluateOptions(
                column="lc", mapping={"road": "", "wood": "tree"}, workers=2
            ),
        ),
        (
            geoseg.SampleOptions,
            ["-n", "60", "--allocation", "neyman", "--expected", "a=0.8,b=0.5"],
            geoseg.SampleOptions(
                points=60, allocation="neyman", expected={"a": 0.8, "b": 0.5}
            ),
        ),
        (
            geoseg.ChangeOptions,
            ["--format", "gpkg", "--simplify", "2px", "--min-confidence", "60"],
            geoseg.ChangeOptions(
                formats=("gpkg",),
                polygons=geoseg.PolygonOptions(simplify="2px"),
                min_confidence=60,
            ),
        ),
        (
            geoseg.VerifyOptions,
            (*_WINDOW, *("--blend", "crop", "--blend", "mean", "--tile", "64")),
            geoseg.VerifyOptions(
                window=(1, 2, 30, 40), blends=("crop", "mean"), tile=64
            ),
        ),
        (
            geoseg.NewPackage,
            [
                *["--bands", "B02,#3=red", "--class", "land", "--class", "water:7"],
                *[
                    "--mean",
                    "1,2",
                    "--percentiles",
                    "2",
                    "98",
                    "--metric",
                    "F1=0.9",
                    "--gsd",
                    "10",
                ],
            ],
            geoseg.NewPackage(
                bands=("B02", "#3=red"),
                classes=("land", "water:7"),
                mean=(1.0, 2.0),
                percentiles=(2.0, 98.0),
                metrics=(("F1", 0.9),),
                gsd_m=10.0,
            ),
        ),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_flags_of_each_kind_become_its_values_and_none_its_defaults(
    kind, arguments, wanted
):
    found = []

    @click.command()
    @flags_of(kind)
    def command(**flags):
        found.append(options_of(kind, flags))

    for given in (arguments, []):
        result = CliRunner().invoke(command, given, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    assert found == [wanted, kind()]


def test_flags_stand_under_the_headings_of_their_values():
    text = CliRunner().invoke(main, ["segment", "--help"], terminal_width=120).output
    for heading in ("Model", "Imagery", "Products", "Tiles", "Compute", "Execution"):
        assert f"─ {heading} ─" in text


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("width", [80, 120])
def test_help_fits_the_terminal_and_has_no_colour_in_a_pipe(command, width):
    result = CliRunner().invoke(main, [command, "--help"], env={"COLUMNS": str(width)})
    assert result.exit_code == 0
    assert "\x1b" not in result.output
    assert max(map(len, result.output.splitlines())) <= width


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
    sentence = "give another `crs`, `precision='float32'` or `restart=True`"
    assert spelled(sentence) == "give another --crs, --precision float32 or --restart"
