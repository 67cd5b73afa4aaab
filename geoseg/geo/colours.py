"""Colours of classes that nobody gave any: by their names, else distinct to anybody.

Trees are green and water is blue on every map; names are looked up in a few
languages. Others get colours that are distinct to people who see red and green alike:
those of Okabe and Ito, then Paul Tol's muted ones.
"""

from __future__ import annotations

import colorsys
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

_COVERS = {
    "#1f6b35": """tree trees forest forests wood woods woodland wald baum baume geholz
        geholze foret forets arbre arbres bois bosque bosques arbol arboles arbolado
        bosco boschi foresta foreste albero alberi floresta florestas arvore arvores
        lasy drzewa metsa skog""",
    "#b8912f": """shrub shrubs shrubland scrub bush bushes heath heathland sagebrush
        strauch straucher gebusch heide arbuste arbustes arbusto arbustos matorral
        arbusti cespugli""",
    "#9ccb5c": """grass grasses grassland grasslands meadow meadows pasture pastures
        lawn rangeland wiese wiesen gras grunland weide weiden rasen prairie prairies
        pelouse herbe pradera pastizal hierba prato prati pascolo
        pascoli prado prados pastagem pastagens""",
    "#f2c94c": """crop crops cropland croplands farmland agriculture agricultural arable
        field fields acker ackerland feld felder culture cultures champ champs cultivo
        cultivos campo campos coltivo coltivi lavoura lavouras""",
    "#c93a34": """built buildup building buildings urban town towns city cities house
        houses settlement settlements impervious gebaude siedlung siedlungen bebaut haus
        hauser stadt stadte bati batiment batiments ville urbain urbano urbana edificio
        edificios ciudad edifici citta construido""",
    "#6b6b6b": """road roads street streets pavement asphalt railway strasse strassen
        weg wege route routes rue rues carretera carreteras calle calles strada strade
        estrada estradas""",
    "#cdb091": """bare bareland barren soil soils sand beach desert boden offenboden
        strand sol sols sable suelo suelos arena suolo sabbia desnudo solo areia""",
    "#98908a": "rock rocks fels felsen roche roches rocher roca rocas roccia rocce",
    "#2f7ec0": """water waters lake lakes river rivers sea ocean pond ponds stream
        wasser wasserflache wasserflachen gewasser see seen fluss flusse meer teich eau
        eaux lac lacs riviere fleuve mer agua aguas lago lagos rio rios mar acqua acque
        laghi fiume fiumi mare""",
    "#67b5a6": """wetland wetlands marsh marshes swamp bog mangrove mangroves sumpf moor
        feuchtgebiet feuchtgebiete marais humide humides humedal humedales palude""",
    "#d6eef8": """snow ice glacier glaciers schnee eis gletscher neige glace nieve hielo
        glaciar neve ghiaccio ghiacciaio gelo""",
    "#f4f4f4": "cloud clouds wolke wolken nuage nuages nube nubes nuvola nuvole nuvem",
    "#3d3d3d": "shadow shadows schatten ombre ombres sombra sombras ombra ombre",
}
"""What covers of land are called, in English, German, French, Spanish, Italian and
Portuguese, without accents; by the colours that maps give them."""
_WORDS = {word: colour for colour, words in _COVERS.items() for word in words.split()}
_NOT = frozenset(("no", "non", "not", "nicht", "kein", "sans", "sin", "senza", "sem"))
"""A name with one of these says what the class is not."""
_LONG = 4
"""Letters of a word that others may end in, as ``Nadelwald`` does."""
_WORD = re.compile(r"[^\W\d_]+")
_PALETTE = (
    *("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"),
    *("#332288", "#88ccee", "#44aa99", "#117733", "#999933", "#ddcc77", "#cc6677"),
    *("#882255", "#aa4499"),
)
_APART = 75.0
"""How far colours lie apart that are distinct at a glance: see `_distance`."""
_SHADES = (0.3, -0.25, 0.5, -0.45, 0.15, -0.12, 0.65, -0.6)
"""How far classes of one cover go to white (or, below 0, to black) in turn."""
_GOLDEN = 0.618034
"""Of a turn: hues in such steps never come close to an earlier one soon."""


def colours_for(names: Sequence[str], given: Iterable[str] = ()) -> list[str]:
    """Choose colours for classes, ``#rrggbb``, each another one.

    Args:
        names: The classes' names, of any language; a word that means a cover of land
            has its colour, whatever the order of the classes.
        given: Colours that other classes of the legend have.

    Example:
        >>> colours_for(["water", "Nadelwald", "class 7"])
        ['#2f7ec0', '#1f6b35', '#e69f00']

    """
    used = {colour.lower() for colour in given}
    chosen: dict[int, str] = {}
    for index, name in enumerate(names):
        cover = _cover(name)
        if cover is not None:
            chosen[index] = _shade(cover, used)
            used.add(chosen[index])
    for index in range(len(names)):
        if index not in chosen:
            chosen[index] = _distinct(used, len(chosen))
            used.add(chosen[index])
    return [chosen[index] for index in range(len(names))]


def _cover(name: str) -> str | None:
    """Find the colour of what a name means: its last word that means anything."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    words = _WORD.findall(letters)
    if _NOT & set(words):
        return None
    found = [colour for word in words if (colour := _meaning(word)) is not None]
    return found[-1] if found else None


def _meaning(word: str) -> str | None:
    """Look a word up; of a compound, the end."""
    for start in range(max(len(word) - _LONG, 0) + 1):
        if word[start:] in _WORDS:
            return _WORDS[word[start:]]
    return None


def _shade(colour: str, used: Collection[str]) -> str:
    """Give a colour, or a lighter or darker one where it is taken."""
    shades = (_mixed(colour, share) for share in (0.0, *_SHADES))
    fresh = (shade for shade in shades if shade not in used)
    return next(fresh, None) or _hue(len(used), used)


def _distinct(used: Collection[str], count: int) -> str:
    """Give the first colour of the palette that is far from all that are used."""
    for colour in _PALETTE:
        if all(_distance(colour, other) >= _APART for other in used):
            return colour
    return _hue(count, used)


def _hue(turn: int, used: Collection[str]) -> str:
    """Give a hue that is not used: for legends of more classes than eyes can part."""
    while True:
        for value in (0.85, 0.6):
            parts = colorsys.hsv_to_rgb(turn * _GOLDEN % 1, 0.6, value)
            colour = _hex([round(255 * part) for part in parts])
            if colour not in used:
                return colour
        turn += 1


def _mixed(colour: str, share: float) -> str:
    """Mix a colour with white, or with black for a share below 0."""
    end = 255 if share > 0 else 0
    return _hex([round(p + (end - p) * abs(share)) for p in bytes.fromhex(colour[1:])])


def _hex(parts: Iterable[int]) -> str:
    return f"#{bytes(parts).hex()}"


def _distance(one: str, other: str) -> float:
    """How different two colours look, 0 to 765: "redmean", a weighted distance."""
    first, second = bytes.fromhex(one[1:]), bytes.fromhex(other[1:])
    red = (first[0] + second[0]) / 512
    squares = [(a - b) ** 2 for a, b in zip(first, second, strict=True)]
    return float(
        ((2 + red) * squares[0] + 4 * squares[1] + (3 - red) * squares[2]) ** 0.5
    )
