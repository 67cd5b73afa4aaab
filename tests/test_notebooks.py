"""The notebooks are the tutorials; tests/test_tutorials.py runs them, cell by cell."""

import importlib.util
import re

import nbformat
import pytest
from test_tutorials import NOTEBOOKS, PAGES, TUTORIALS, blocks


@pytest.fixture(scope="module")
def make():
    """The script that writes them."""
    spec = importlib.util.spec_from_file_location("make", NOTEBOOKS / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_tutorial_has_a_notebook():
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")) == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_a_notebook_is_its_tutorial(page, make):
    path = NOTEBOOKS / f"{page}.ipynb"
    text = (TUTORIALS / f"{page}.md").read_text(encoding="utf-8")
    assert path.read_text(encoding="utf-8") == make.written(text), (
        "write it again: python workflows/notebooks/make.py"
    )
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [each.source for each in notebook.cells if each.cell_type == "code"]
    marks = {"bash": "!", "python": ""}
    assert code == [
        "\n".join(marks[language] + line for line in lines.strip().splitlines())
        for language, lines in blocks(page)
    ]
    said = "".join(each.source for each in notebook.cells)
    for link in re.findall(r"\]\(([^):#]+\.md)", said):
        assert (NOTEBOOKS / link).is_file(), link
