"""Names of folders that Linux, macOS and Windows all take."""

from pathlib import PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoseg.errors import InputError
from geoseg.run.scene_names import named_apart
from geoseg.storage.folder_names import folder_name


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("Wald", "Wald"),
        ("Köln, 3=x", "Köln, 3=x"),
        ("C:", "C_"),
        ('a<b>c"d|e?f*g', "a_b_c_d_e_f_g"),
        ("no. 3...", "no. 3_"),
        ("end ", "end_"),
        ("CON", "CON_"),
        ("con.tif", "con_.tif"),
        ("lpt1", "lpt1_"),
        ("COM¹", "COM¹_"),
        ("concrete", "concrete"),
        ("com10", "com10"),
    ],
)
def test_a_name_is_one_that_any_system_takes(name, folder):
    assert folder_name(name) == folder


@given(st.text(max_size=400))
def test_any_text_is_a_short_part_of_a_path_and_stays_as_it_is_then(text):
    folder = folder_name(text.encode(errors="ignore").decode())
    assert len(folder.encode()) <= 100
    assert folder_name(folder) == folder
    assert not folder.endswith((".", " "))
    assert PureWindowsPath("C:/maps", folder).parent in (
        PureWindowsPath("C:/maps"),
        PureWindowsPath("C:/"),  # of an empty name
    )


@pytest.mark.parametrize(
    ("first", "twin"),
    [("West", "west"), ("straße", "STRASSE"), ("K\xf6ln", "Ko\u0308ln")],
)
def test_names_that_some_systems_take_for_one_are_refused(first, twin):
    refused = f"would share the folder {twin!r} on Windows and macOS; rename one"
    with pytest.raises(InputError, match=refused):
        named_apart([f"a/{first}.tif", f"b/{twin}.tif"])


def test_long_names_stay_apart():
    first, second = ("ä" * 200 + end for end in "ab")
    assert folder_name(first) != folder_name(second)
    assert folder_name(first).startswith("ä" * 40)


def test_scenes_with_drives_and_backslashes_have_the_names_of_their_files():
    given = (r"C:\data\west.tif", "D:/data/east.tif", r"\\server\share\north.tif")
    assert list(named_apart(given)) == ["west", "east", "north"]
    assert list(named_apart(["/data/aux.tif"])) == ["aux_"]
