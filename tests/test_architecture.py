"""The one-way street: what each room of geoseg may import.

ARCHITECTURE.md tells the same in words. A room is a module or a package of
`geoseg/`. It imports from rooms of lower layers and from the third-party packages
named here, and from nothing else; imports for type checking count too. A new
import that the table lacks wants a reason, here and in ARCHITECTURE.md.
"""

import ast
import re
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

GEOSEG = Path(__file__).parent.parent / "geoseg"
ARCHITECTURE = GEOSEG.parent / "ARCHITECTURE.md"

MAY_IMPORT = {  # room: (layer, rooms of geoseg, third-party packages)
    "errors": (0, "", ""),
    "authorship": (1, "errors", ""),  # whose a file is, told without GDAL
    "atomic": (2, "authorship errors", ""),  # open databases are not replaced
    "lock": (1, "errors", "filelock"),
    "gdalpath": (1, "", ""),
    "grid": (1, "errors", ""),  # integers need no numpy
    # What a step in a CRS is on Earth: below planes, which ask it.
    "ground": (0, "", "affine numpy pyproj"),
    "georef": (1, "errors ground", "affine pyproj"),
    "classes": (1, "errors", ""),
    "steps": (1, "", ""),
    "sensors": (1, "", ""),
    "kernel": (1, "", "numba"),  # how loops over pixels are compiled
    "lanes": (1, "", "torch"),
    "remote": (1, "errors", "fsspec"),  # one way to reach object stores
    "fingerprint": (2, "errors remote", ""),
    "stitch": (2, "errors grid", "numpy torch"),  # the sums run on the device
    # What is kept of the scores, computed where they are.
    "layers": (3, "classes stitch grid", "numpy torch"),
    "plan": (2, "errors grid georef", ""),
    "journal": (2, "errors remote", "filelock"),
    # A store is reached as the journal reaches it.
    "output": (3, "atomic authorship errors journal lock remote", ""),
    "models": (
        2,
        "authorship errors classes sensors steps",
        (
            # onnx, and its protobuf: what a graph has ONNX Runtime read elsewhere.
            "google huggingface_hub numpy onnx onnxruntime pystac safetensors "
            "segmentation_models_pytorch torch"
        ),
    ),
    "scene": (
        3,
        "atomic errors fingerprint georef grid ground kernel remote sensors steps",
        # pystac reads items.
        "affine numpy pyproj pystac rasterio",
    ),
    # Class rasters that people bring are opened like scenes.
    "mosaic": (
        4,
        "errors atomic authorship grid georef classes scene",
        "numpy pyproj rasterio",
    ),
    "vectorize": (
        3,
        "errors atomic authorship gdalpath grid georef ground classes kernel",
        "affine numpy numba pyproj shapely geopandas pyogrio pyarrow",
    ),
    "predict": (3, "errors classes lanes models stitch", "numpy torch"),
    "tasks": (4, "errors grid georef lanes stitch plan journal layers", "numpy torch"),
    # A worker unpickles areas: no geopandas unless one is read from a file.
    # geopandas reads GeoParquet, for which most builds of GDAL lack the driver.
    "aoi": (4, "errors gdalpath grid georef", "geopandas numpy pyogrio pyproj shapely"),
    # aoi reads vector files, and says why one lies elsewhere.
    "labels": (
        5,
        "aoi errors classes georef grid ground mosaic",
        "geopandas numpy pyproj rasterio shapely",
    ),
    # GDAL's version is one of those that all workers share; torch counts GPUs.
    "cluster": (5, "errors remote tasks", "dask dask_cuda distributed rasterio torch"),
    "engine": (
        6,
        "errors grid georef layers plan journal tasks cluster",
        "distributed numpy",
    ),
    # Its blocks are windows; files, dask and labels are brought to it.
    "evaluate": (5, "errors grid georef classes", "numpy"),
    "reference": (
        5,
        "authorship errors gdalpath grid georef classes aoi mosaic vectorize",
        "geopandas numpy pyogrio pyproj shapely",
    ),
    "products": (
        6,
        "errors atomic classes georef grid mosaic",
        "matplotlib numpy pyproj rasterio shapely",
    ),
    # From scenes and labels to a package: it uses the doors, and draws its curves.
    "train": (
        6,
        (
            "atomic classes errors evaluate fit georef grid labels lock models predict "
            "scene steps"
        ),
        (
            "matplotlib numpy safetensors segmentation_models_pytorch torch "
            "torchvision yaml"
        ),
    ),
    # What train splits, as files: its own writers for thousands of small rasters.
    "export": (
        7,
        # vectorize brings outlines of chips to degrees.
        (
            "atomic classes errors georef grid labels lock mosaic remote scene steps "
            "train vectorize"
        ),
        "geopandas numpy pyproj pystac rasterio shapely",
    ),
    "vectors": (
        6,
        "aoi authorship classes georef lock mosaic steps vectorize",
        "geopandas",
    ),
    # cluster, for blocks that are read on dask; vectorize reads lengths with units.
    "accuracy": (
        7,
        (
            "aoi atomic authorship classes cluster errors evaluate georef grid lock "
            "mosaic products reference steps train vectorize"
        ),
        "geopandas numpy shapely",  # labels of an earlier draw, by their places
    ),
    "masking": (2, "classes errors", "numpy"),
    "fit": (5, "errors georef grid ground models scene", "numpy"),
    "normalise": (6, "errors fit grid models predict scene steps", ""),
    "prepare": (
        7,
        (
            "aoi authorship classes errors fit grid journal layers masking models "
            "normalise output plan predict remote scene steps stitch vectorize vectors"
        ),
        "",
    ),
    "deliver": (
        8,
        (
            "atomic classes clock cluster engine grid journal layers mosaic normalise "
            "predict prepare products remote scene sensors steps vectorize"
        ),  # a picture's red, green and blue are the scene's, or its models'
        "distributed numpy",  # the type of the client that it hands on
    ),
    "run": (
        9,
        (
            "aoi clock cluster deliver engine errors journal output prepare products "
            "scene several steps tasks"
        ),
        "distributed",  # the same
    ),
    "clock": (1, "", ""),
    "describe": (
        8,
        "aoi atomic authorship errors fit grid models products scene steps",
        "numpy",
    ),
    # What a process may hold: psutil knows the machine's, dask a container's limit.
    "memory": (1, "", "distributed psutil"),
    "compare": (
        6,
        "errors grid memory plan predict scene steps stitch",
        "numpy torch",
    ),
    "verify": (
        8,
        "aoi compare errors fit grid models normalise predict scene steps stitch",
        "",
    ),
    "several": (1, "errors", ""),
    "estimate": (
        8,
        (
            "aoi classes cluster errors grid memory normalise output predict prepare "
            "scene several tasks"
        ),
        "numpy",
    ),
    "__init__": (
        10,
        (
            "accuracy describe errors estimate evaluate export models prepare products "
            "run scene steps train vectors verify"
        ),
        "",
    ),
    # The public API; geopandas is the type of the table that it shows.
    "cli": (11, "__init__ errors", "click geopandas rich"),
    "__main__": (12, "cli", ""),
}

MODULES = sorted(path.relative_to(GEOSEG) for path in GEOSEG.rglob("*.py"))


def room_of(module):
    """Name the room that a module, a path below geoseg, belongs to."""
    return module.parts[0].removesuffix(".py")


def dotted(module):
    """Write a module as it is imported."""
    parts = ("geoseg", *module.with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(module):
    """List the full names of all modules that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse((GEOSEG / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: write absolute imports"
            rooms = {alias.name for alias in node.names} & set(MAY_IMPORT)
            if node.module == "geoseg":
                assert not rooms, f"{module}: write from geoseg.{min(rooms)} import ..."
            found.add(node.module)
    return found


def imported_room(name):
    """Name the room that ``geoseg.x.y`` is in; plain ``geoseg`` is the public API."""
    return [*name.split("."), "__init__"][1]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_the_table_is_a_one_way_street(room):
    layer, ours, _ = MAY_IMPORT[room]
    for other in ours.split():
        assert MAY_IMPORT[other][0] < layer, f"{room} may not look up to {other}"


def test_the_table_has_every_room_and_no_other():
    assert set(MAY_IMPORT) == {room_of(module) for module in MODULES}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_imports_only_what_the_table_allows(module):
    room = room_of(module)
    _, ours, theirs = MAY_IMPORT[room]
    for name in imports(module):
        top = name.split(".")[0]
        if top == "geoseg":
            allowed = imported_room(name) in {room, *ours.split()}
        else:
            allowed = top in {*sys.stdlib_module_names, *theirs.split()}
        assert allowed, f"{module} may not import {name}"


def test_no_modules_import_each_other_in_a_circle():
    known = {dotted(module) for module in MODULES}
    graph = {dotted(module): imports(module) & known for module in MODULES}
    TopologicalSorter(graph).prepare()  # raises CycleError, naming the circle


PACKAGES = {m.parent for m in MODULES if m.name == "__init__.py"}
PACKAGES -= {Path(), Path("cli")}
"""But for `cli`, whose group of commands is what a shell calls."""


@pytest.mark.parametrize("package", sorted(PACKAGES), ids=str)
def test_a_package_holds_names_and_no_code_in_its_init(package):
    tree = ast.parse((GEOSEG / package / "__init__.py").read_text(encoding="utf-8"))
    kinds = {type(node) for node in tree.body}
    assert kinds <= {ast.Expr, ast.ImportFrom, ast.Assign}


@pytest.mark.parametrize("room", sorted(set(MAY_IMPORT) - {"__init__", "__main__"}))
def test_the_architecture_names_every_room(room):
    words = ARCHITECTURE.read_text(encoding="utf-8")
    assert f"**`{room}" in words, f"ARCHITECTURE.md has no paragraph on {room}"


def test_the_tests_that_the_architecture_names_exist():
    named = re.findall(
        r"`(test_\w+\.py)(?:::(test_\w+))?`", ARCHITECTURE.read_text(encoding="utf-8")
    )
    assert named
    for file, name in named:
        path = Path(__file__).parent / file
        wanted = f"def {name}(" if name else ""
        assert wanted in path.read_text(encoding="utf-8"), f"no {name} in {file}"
