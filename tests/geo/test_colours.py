"""Classes that were given no colour get one that suits them, and eyes of all kinds."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from geoseg.geo.colours import colours_for

# Machado, Oliveira and Fernandes 2009: how people without one kind of cones see.
SEEN_BY = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}
TO_XYZ = [
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
]
WHITE = np.array([0.95047, 1, 1.08883])


def lab(colour, seen):
    """CIE L*a*b* of a colour as somebody sees it."""
    rgb = np.array(list(bytes.fromhex(colour[1:]))) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    x, y, z = np.cbrt(np.array(TO_XYZ) @ (seen @ linear).clip(0, 1) / WHITE)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def hue_of(colour):
    red, green, blue = bytes.fromhex(colour[1:])
    return max(("red", red), ("green", green), ("blue", blue), key=lambda p: p[1])[0]


@pytest.mark.parametrize(
    ("names", "hue"),
    [
        (["trees", "Wald", "Nadelwald", "forêt", "bosque", "Tree cover", "árvores"], 1),
        (["water", "Wasser", "lac", "agua", "acqua", "Gewässer", "water bodies"], 2),
        (["built-up", "Gebäude", "bâti", "ciudad", "Siedlungen"], 0),
        (["meadow", "Wiese", "prairie", "Grünland", "pascolo", "grassland"], 1),
    ],
)
def test_common_covers_have_the_colours_that_maps_give_them(names, hue):
    for name in names:
        assert hue_of(colours_for([name])[0]) == ("red", "green", "blue")[hue], name


def test_the_last_word_says_what_it_is():
    shadow, ice, trees = colours_for(["cloud shadow", "sea ice", "urban trees"])
    assert [shadow] == colours_for(["shadow"])
    assert [ice] == colours_for(["ice"])
    assert [trees] == colours_for(["trees"])


def test_what_a_class_is_not_gives_it_no_colour():
    assert colours_for(["no water"]) == colours_for(["something else"])


@pytest.mark.parametrize("seen", SEEN_BY)
def test_unnamed_classes_are_distinguished_by_people_who_are_colour_blind(seen):
    colours = colours_for([f"class {value}" for value in range(7)])
    seen_as = [lab(colour, np.array(SEEN_BY[seen])) for colour in colours]
    apart = [np.linalg.norm(a - b) for a, b in combinations(seen_as, 2)]
    assert min(apart) > 10  # 2.3 is just noticeable


def test_classes_of_one_cover_differ_in_lightness():
    names = ["broadleaf forest", "conifer forest", "mixed forest", "young forest"]
    greens = colours_for(names)
    lightness = sorted(lab(colour, np.eye(3))[0] for colour in greens)
    assert min(b - a for a, b in pairwise(lightness)) > 4
    assert {hue_of(colour) for colour in greens} == {"green"}


def test_each_of_254_classes_has_a_colour_of_its_own():
    assert len(set(colours_for([f"forest {n}" for n in range(254)]))) == 254
    assert len(set(colours_for([str(n) for n in range(254)]))) == 254


def test_colours_that_were_given_are_not_given_again():
    (water,) = colours_for(["water"])
    assert colours_for(["water"], given=[water.upper()]) != [water]
