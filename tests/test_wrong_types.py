"""Public functions given what is of another type: a sentence, and nothing is done."""

from inspect import isfunction, signature

import numpy as np
import pytest

import geoseg
from geoseg.errors import GeosegError, InputError
from geoseg.options.arguments import kinds_of

FUNCTIONS = [name for name in geoseg.__all__ if isfunction(getattr(geoseg, name))]
FUNCTIONS.remove("allow_drivers")  # takes any number of names: see below
WRONG = ({}, 7, b"x", geoseg.Window, object())
UNCHECKED = {"Pixels", "Needs"}
"""Kinds of what only commands give, beside what people do."""


def required(function):
    """Give an argument of an allowed kind for each that has no default."""
    some = {"Path": "a", "str": "a", "Sequence": ["a"], "ndarray": [1]}
    given = {}
    for name, each in signature(function).parameters.items():
        if each.default is each.empty:
            kind = kinds_of(each.annotation)[0]
            given[name] = some.get(kind, type(kind, (), {})())
    return given


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_argument_of_another_type_is_a_sentence_that_names_it(name):
    function = getattr(geoseg, name)
    for parameter, each in signature(function).parameters.items():
        kinds = kinds_of(each.annotation)
        for value in [it for it in WRONG if not allows(kinds, it)]:
            with pytest.raises(InputError, match=f"`{parameter}` of geoseg.{name} is "):
                function(**{**required(function), parameter: value})


def allows(kinds, value):
    """Return whether a value is of one of these kinds, or none of them is checked."""
    fits = {dict: {"Mapping"}, int: {"int", "float"}, type: {"Callable"}}
    return not kinds or bool(fits.get(type(value), set()) & set(kinds))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_kinds_in_signatures_are_known(name):
    for each in signature(getattr(geoseg, name)).parameters.values():
        known = kinds_of(each.annotation)
        assert known or each.annotation.split(" |")[0] in UNCHECKED, each


def test_fields_of_options_are_of_their_types_too():
    options = geoseg.SegmentOptions(workers="two")
    with pytest.raises(InputError, match=r"`workers` of geoseg.SegmentOptions is of "):
        geoseg.segment("scene.tif", "out", options=options)
    options = geoseg.SegmentOptions(polygons={})
    with pytest.raises(InputError, match=r"; give a geoseg.PolygonOptions$"):
        geoseg.segment("scene.tif", "out", options=options)


def test_a_text_does_where_a_path_does(tmp_path):
    with pytest.raises(GeosegError, match=r"none\.zip does not exist"):
        geoseg.unpack_package(str(tmp_path / "none.zip"), str(tmp_path / "out"))


@pytest.mark.parametrize(
    ("make", "needed"),
    [
        (lambda: geoseg.GeoBox(1, 2, None, None), "an affine.Affine as `transform`"),
        (lambda: geoseg.allow_drivers("VRT", 7), "`names` of geoseg.allow_drivers is"),
        (lambda: geoseg.unpack_package("", "a"), "geoseg.unpack_package is an empty"),
        (
            lambda: geoseg.vectorize("a", "b", also=[None]),
            "`also` of .* is None; give a",
        ),
        (
            lambda: geoseg.segment_each([7], "a"),
            "`scenes` of .* type int; give a path,",
        ),
        (lambda: geoseg.Legend(3), "a legend is a tuple of geoseg.LandClass, got 3"),
        (lambda: geoseg.Legend([1]), r"a tuple of geoseg.LandClass, got \[1\]"),
        (lambda: geoseg.Split("a", 1, 1), "a split is made of whole numbers"),
        (lambda: geoseg.Model({}), "`model` of geoseg.Model is of the type dict"),
        (lambda: geoseg.ChipDataset(None), "`folder` of geoseg.ChipDataset is None"),
        (lambda: geoseg.Model().predict(7), "`image` of geoseg.Model.predict is of"),
        (lambda: geoseg.areas(np.zeros((0, 0))), "give a path or an xarray.DataArray"),
    ],
)
def test_values_of_other_types_are_a_sentence(make, needed):
    with pytest.raises(InputError, match=needed):
        make()


def test_what_python_says_of_too_many_arguments_stands_alone():
    with pytest.raises(TypeError, match="takes 1 positional argument") as caught:
        geoseg.areas("landcover.tif", "zones.gpkg")
    assert caught.value.__context__ is None
