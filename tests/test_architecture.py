"""The one-way street: what each room of geoseg may import.

ARCHITECTURE.md says the same in words. A room is a module or a package of
`geoseg/`. It imports from rooms that stand above it in the table and from the
third-party packages named beside it, and from nothing else; imports for type checking
count too. A new import that the table lacks wants a reason, here and in
ARCHITECTURE.md.
"""

import ast
import re
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

GEOSEG = Path(__file__).parent.parent / "geoseg"
ARCHITECTURE = GEOSEG.parent / "ARCHITECTURE.md"

MAY_IMPORT = {  # room: (rooms of geoseg, third-party packages), from the ground up
    "errors": ("", ""),
    "progress": ("", ""),
    "fork_server": ("", ""),
    "options": ("errors", ""),
    "geo": ("errors", "affine numba numpy odc pyproj"),
    "storage": (
        "errors geo",
        (
            # requests: what planetary_computer raises
            # psutil: how much memory files that are mapped take
            "filelock fsspec geopandas h5py numpy planetary_computer psutil pyarrow "
            "pyogrio pyproj rasterio requests shapely"
        ),
    ),
    "scene": (
        "errors progress options geo storage",
        "affine numpy platformdirs pyproj pystac rasterio xarray",
    ),
    "models": (
        "errors progress options geo storage scene",
        (
            # pyarrow unpacks blocks of TensorFlow's index files.
            "google huggingface_hub numpy onnx onnxruntime platformdirs pyarrow pystac "
            "safetensors segmentation_models_pytorch torch"
        ),
    ),
    # yaml: files of classes, which trainings and maps share
    "raster": ("errors geo storage scene", "numpy pyproj rasterio xarray yaml"),
    "predict": ("errors progress options geo scene models", "numpy torch"),
    "overlay": (
        "errors geo storage raster",
        "geopandas numpy pyogrio pyproj rasterio shapely xarray",
    ),
    "report": (
        "errors progress geo storage raster",
        # PIL: tiles of pages as JPEGs. pyproj: coordinates under the cursor, and what
        # it raises of a plane that is nowhere on Earth
        (
            "PIL geopandas jinja2 markupsafe matplotlib numpy pyproj rasterio shapely "
            "xarray"
        ),
    ),
    "vectorize": (
        "errors progress options geo storage raster overlay",
        "affine geopandas numpy psutil pyproj shapely xarray",
    ),
    "evaluate": (
        "errors geo storage raster overlay",
        # pyproj: the CRS that a table of zones is written in
        "affine exactextract geopandas matplotlib numpy pandas pyogrio pyproj shapely",
    ),
    "search": (
        "errors progress options geo storage scene overlay",
        # requests and urllib3 are pystac_client's: how long to wait, how often to try.
        "matplotlib numpy pyproj pystac pystac_client requests shapely urllib3",
    ),
    "run": (
        (
            # search: what is mapped may be what a search finds
            "errors progress fork_server options geo storage scene models raster "
            "predict overlay report vectorize evaluate search"
        ),
        (
            # scipy: distances between pixels, of suggestions
            # prometheus_client: what workers count
            "dask dask_cuda distributed filelock geopandas numpy pandas "
            "prometheus_client psutil rasterio scipy shapely torch xarray"
        ),
    ),
    "train": (
        (
            # report: the shell of pages for a browser. run: live maps what it fits
            "errors progress options geo storage scene models raster predict overlay "
            "report evaluate run"
        ),
        (
            "geopandas matplotlib numpy pyproj pystac rasterio safetensors scipy "
            "segmentation_models_pytorch shapely sklearn threadpoolctl torch "
            "torchvision"
        ),
    ),
    "diagnose": (
        # vectorize: how many polygons a few tiles have. raster: how long one takes
        (
            "errors progress options geo storage scene models raster predict overlay "
            "report vectorize run"
        ),
        "affine numpy pyproj shapely torch",
    ),
    "__init__": (
        # geo: the values that arrays come with. storage: what columns a file has.
        # raster: which legends ship.
        (
            "errors progress options geo storage scene models raster overlay report "
            "vectorize evaluate search run train diagnose"
        ),
        "",
    ),
    # fork_server: begins before `__init__` imports what a job needs
    "cli": (
        "errors fork_server options __init__",
        "click geopandas packaging rich rich_click",
    ),
    "__main__": ("cli", ""),
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
    order = list(MAY_IMPORT)
    for other in MAY_IMPORT[room][0].split():
        assert order.index(other) < order.index(room), f"{room} looks up to {other}"


def test_the_table_has_every_room_and_no_other():
    assert set(MAY_IMPORT) == {room_of(module) for module in MODULES}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_imports_only_what_the_table_allows(module):
    room = room_of(module)
    ours, theirs = MAY_IMPORT[room]
    for name in imports(module):
        top = name.split(".")[0]
        if top == "geoseg":
            allowed = imported_room(name) in {room, *ours.split()}
        else:
            allowed = top in {*sys.stdlib_module_names, *theirs.split()}
        assert allowed, f"{module} may not import {name}"


def runtime_imports(module):
    """List the full names of what a module imports when it runs."""
    tree = ast.parse((GEOSEG / module).read_text(encoding="utf-8"))
    checking = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in checking:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_only_the_engine_and_the_cluster_run_dask(module):
    if module == Path("run/engine.py") or module.is_relative_to("run/cluster"):
        return
    tops = {name.split(".")[0] for name in runtime_imports(module)}
    assert not tops & {"dask", "distributed", "dask_cuda"}


def test_no_modules_import_each_other_in_a_circle():
    known = {dotted(module) for module in MODULES}
    graph = {dotted(module): imports(module) & known for module in MODULES}
    TopologicalSorter(graph).prepare()  # raises CycleError, naming the circle


def test_no_two_classes_have_one_name():
    homes = {}
    for module in MODULES:
        for node in ast.parse((GEOSEG / module).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(module.as_posix())
    assert not {name: at for name, at in homes.items() if len(at) > 1}


PACKAGES = {m.parent for m in MODULES if m.name == "__init__.py"}
PACKAGES -= {Path(), Path("cli")}
"""But for `cli`, whose group of commands is what a shell calls."""


@pytest.mark.parametrize("package", sorted(PACKAGES), ids=str)
def test_a_package_holds_names_and_no_code_in_its_init(package):
    tree = ast.parse((GEOSEG / package / "__init__.py").read_text(encoding="utf-8"))
    kinds = {type(node) for node in tree.body}
    assert kinds <= {ast.Expr, ast.ImportFrom, ast.Assign}


@pytest.mark.parametrize("package", sorted(PACKAGES), ids=str)
def test_a_package_says_what_each_of_its_modules_is_and_names_no_other(package):
    text = (GEOSEG / package / "__init__.py").read_text(encoding="utf-8")
    said = set(re.findall(r"(?<!`)`(\w+)`", ast.get_docstring(ast.parse(text))))
    modules = {each.stem for each in MODULES if each.parent == package}
    packages = {each.name for each in PACKAGES if each.parent == package}
    assert said == (modules | packages) - {"__init__"}


@pytest.mark.parametrize("room", sorted(set(MAY_IMPORT) - {"__init__", "__main__"}))
def test_the_architecture_names_every_room(room):
    words = ARCHITECTURE.read_text(encoding="utf-8")
    assert f"| `{room}` |" in words, f"ARCHITECTURE.md has no line on {room}"


def test_the_architecture_lists_rooms_in_the_order_of_imports():
    words = ARCHITECTURE.read_text(encoding="utf-8")
    rooms = re.findall(r"^\| `(\w+)` \|", words, re.MULTILINE)
    assert rooms == [room for room in MAY_IMPORT if room != "__main__"]


def test_the_architecture_is_two_pages_whose_paths_exist():
    words = ARCHITECTURE.read_text(encoding="utf-8")
    assert len(words.splitlines()) <= 150
    named = set(re.findall(r"`((?:\w+/)+(?:\w+\.py)?)`", words))
    assert "overlay/coverage.py" in named
    homes = (GEOSEG, GEOSEG.parent, GEOSEG.parent / "tests")
    assert not [each for each in named if not any((h / each).exists() for h in homes)]


_ON_DISK = frozenset(
    (
        *("open", "read_text", "write_text", "read_bytes", "write_bytes", "mkdir"),
        *("unlink", "read_file", "read_parquet", "savefig"),
    )
)
"""What is called to open a file, to make one or to take one away."""


def calls(module):
    """List what a module calls, as the last name and the whole."""
    tree = ast.parse((GEOSEG / module).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            whole = ast.unparse(node.func)
            yield whole.rpartition(".")[2], whole


@pytest.mark.parametrize("room", ["options", "geo", "predict", "overlay"])
def test_between_the_doors_no_file_is_opened(room):
    inside = [module for module in MODULES if room_of(module) == room]
    assert not [m for m in inside for name, _ in calls(m) if name in _ON_DISK]


def test_vector_files_are_read_in_one_room():
    readers = {
        module
        for module in MODULES
        for _, whole in calls(module)
        if re.match(r"(pyogrio|geopandas|gpd)\.(read|open|list_layers)", whole)
    }
    own = {Path("train/chips/dataset.py")}  # the table of chips that geoseg wrote
    assert {module.parent for module in readers - own} == {Path("storage/vectors")}


def test_the_tests_that_the_table_of_faults_names_exist():
    root = Path(__file__).parent
    table = (root.parent / "docs" / "reliability.md").read_text(encoding="utf-8")
    tests = "".join(
        path.read_text(encoding="utf-8") for path in root.rglob("test_*.py")
    )
    named = set(re.findall(r"`(test_\w+)`", table))
    assert named
    assert not {name for name in named if f"def {name}(" not in tests}


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "docs/laws.md"])
def test_the_tests_that_the_architecture_names_exist(page):
    named = re.findall(
        r"`((?:\w+/)?test_\w+\.py)(?:::(test_\w+))?`",
        (GEOSEG.parent / page).read_text(encoding="utf-8"),
    )
    assert named
    for file, name in named:
        path = Path(__file__).parent / file
        wanted = f"def {name}(" if name else ""
        assert wanted in path.read_text(encoding="utf-8"), f"no {name} in {file}"


OTHERS = re.compile(r"rio edit-info --crs")
"""Flags of other programs, which a message may ask for."""


@pytest.mark.parametrize(
    "module", [each for each in MODULES if room_of(each) != "cli"], ids=str
)
def test_nothing_but_the_command_line_spells_a_flag(module):
    tree = ast.parse((GEOSEG / module).read_text(encoding="utf-8"))
    texts = [
        OTHERS.sub("", node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    flags = [
        flag for text in texts for flag in re.findall(r"(?<![\w|-])--[a-z]+", text)
    ]
    drawn = {"--a", "--b", "--c", "--d", "--e", "--x"}  # lines of a drawing
    assert not set(flags) - drawn, f"{module}: write `option` for {flags}"


@pytest.mark.parametrize(
    "module", [each for each in MODULES if room_of(each) == "cli"], ids=str
)
def test_flags_are_made_of_options_in_one_place(module):
    tree = ast.parse((GEOSEG / module).read_text(encoding="utf-8"))
    by_hand = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "click.option"
    ]
    hint = "declare it as a field with option(), and give flags_of() its class"
    assert module == Path("cli/options.py") or not by_hand, hint


SAID_BY_HAND = {
    "errors.py": "is where it is said",
    "models/exchange/push.py": "writes a model card, for people without geoseg",
    "storage/remote.py": "adds it to what fsspec says of an address",
    "train/initial.py": "goes on without, and warns",
    "train/pixelwise/probe.py": "names it among other ways out",
    "cli/__init__.py": "names what is there in another version, and none is missing",
}


def test_what_is_not_installed_is_said_by_one_function():
    found = {
        path.relative_to(GEOSEG).as_posix()
        for path in GEOSEG.rglob("*.py")
        if "pip install" in path.read_text(encoding="utf-8")
    }
    assert found == SAID_BY_HAND.keys()


WORKFLOWS = GEOSEG.parent / "workflows"
RECIPES = sorted(path.relative_to(WORKFLOWS) for path in WORKFLOWS.rglob("*.py"))
PROGRAM = ("geoseg.cli", "main")
"""The command line as click has it, for whoever makes pages or dialogs of its flags."""


def inner_imports(recipe):
    """List what a recipe imports from below geoseg, as (module, name)."""
    tree = ast.parse((WORKFLOWS / recipe).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            yield from ((n, "") for n in names if n.startswith("geoseg."))
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("geoseg."):
            yield from ((node.module, alias.name) for alias in node.names)


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_a_recipe_uses_the_public_api_only(recipe):
    found = [each for each in inner_imports(recipe) if each != PROGRAM]
    assert not found, f"{recipe} looks inside geoseg"


PATCHES = 17
"""How many patches of what a dotted string names there may be: a rename breaks them."""


def test_few_tests_patch_what_a_string_names():
    tests = Path(__file__).parent.rglob("*.py")
    text = "".join(path.read_text(encoding="utf-8") for path in tests)
    found = re.findall(r'setattr\(\s*"geoseg\.', text)
    assert len(found) <= PATCHES, "give what is tested a parameter, or take a fake"
