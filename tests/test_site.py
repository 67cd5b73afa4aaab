"""The site's pages say what the code has."""

import re

import pytest
from paths import ROOT

import geoseg


def test_the_page_of_the_api_names_all_that_is_public():
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    named = re.findall(r"^::: geoseg\.(\w+)$", page, re.MULTILINE)
    public = {each for each in geoseg.__all__ if not each.startswith("_")}
    assert sorted(named) == sorted(public)


def test_examples_of_docstrings_are_shown_as_code():
    griffe = pytest.importorskip("griffe", reason="of the extra docs")
    extension = ROOT / "workflows" / "site" / "examples.py"
    found = griffe.load(
        "geoseg.errors",
        search_paths=[ROOT],
        allow_inspection=False,
        extensions=griffe.load_extensions(f"{extension}:Examples"),
        docstring_parser="google",
    )
    sections = found["visible"].docstring.parsed
    (examples,) = [each for each in sections if each.kind.value == "examples"]
    assert examples.value[0][1].startswith('>>> visible("trees')
