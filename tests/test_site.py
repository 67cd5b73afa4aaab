"""The site's pages say what the code has."""

import re

from paths import ROOT

import geoseg


def test_the_page_of_the_api_names_all_that_is_public():
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    named = re.findall(r"^::: geoseg\.(\w+)$", page, re.MULTILINE)
    public = {each for each in geoseg.__all__ if not each.startswith("_")}
    assert sorted(named) == sorted(public)
