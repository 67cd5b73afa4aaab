"""The legend of a map."""

import pytest

from geoseg.errors import InputError
from geoseg.geo.legend import NODATA, LandClass, Legend, named_legend


def test_classes_are_found_by_id_and_by_name(legend):
    assert legend.by_id(4) is legend.by_name("built-up")
    assert legend.ids == (1, 3, 4)
    assert len(legend) == 3
    with pytest.raises(InputError, match=r"no class has id 2; the ids are \[1, 3, 4\]"):
        legend.by_id(2)
    with pytest.raises(
        InputError, match="no class is named 'wood'; the names are water"
    ):
        legend.by_name("wood")


def test_the_colour_table_has_nodata_transparent(legend):
    assert legend.colormap() == {
        1: (31, 120, 180, 255),
        3: (51, 160, 44, 255),
        4: (227, 26, 28, 255),
        NODATA: (0, 0, 0, 0),
    }


def test_category_names_name_every_value(legend):
    assert legend.category_names() == ["", "water", "", "forêt & bois", "built-up"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((255, "cloud", "#ffffff"), "has id 255; ids are whole numbers from 0 to 254"),
        ((-1, "cloud", "#ffffff"), "has id -1"),
        ((True, "cloud", "#ffffff"), "has id True"),
        ((1, " ", "#ffffff"), "class 1 cannot be named ' ': it is empty"),
        ((1, "cloud", "white"), "colour 'white'; write it as #rrggbb"),
    ],
)
def test_a_class_that_a_raster_cannot_hold_is_refused(fields, message):
    with pytest.raises(InputError, match=message):
        LandClass(*fields)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([], "at least one class"),
        ([(2, "a"), (1, "b")], r"must rise, got \[2, 1\]"),
        ([(1, "a"), (1, "b")], "'a' and 'b' both have the id 1"),
        ([(1, "a"), (2, "a")], r"got twice: \['a'\]"),
    ],
)
def test_a_legend_that_is_not_clear_is_refused(classes, message):
    with pytest.raises(InputError, match=message):
        Legend(tuple(LandClass(i, name, "#000000") for i, name in classes))


def test_a_colour_that_is_none_is_refused_before_others_are_chosen():
    with pytest.raises(InputError, match="colour 'c0ffee'; write it as #rrggbb"):
        named_legend([1, 2], ["lake", "forest"], [None, "c0ffee"])
