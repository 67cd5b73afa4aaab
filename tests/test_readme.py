"""What the README shows is true."""

import re
from pathlib import Path

import geoseg
from geoseg.cli import main

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    (tmp_path / "sample_aoi").symlink_to(REPOSITORY / "sample_aoi")
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102  # our own README
    printed = capsys.readouterr().out
    for land_class in geoseg.load_package("sentinel2-landcover").legend:
        assert land_class.name in printed
    assert (tmp_path / "out/landcover.tif").exists()


def test_every_flag_that_it_names_exists():
    commands = [main.get_command(None, name) for name in main.list_commands(None)]
    flags = {flag for c in commands for p in c.params for flag in p.opts}
    prose = re.sub(r"^    .*$", "", README, flags=re.MULTILINE)  # without pip's flags
    assert set(re.findall(r"--[a-z][a-z-]+", prose)) <= flags


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        path, _, anchor = target.partition("#")
        text = (REPOSITORY / path).read_bytes()
        headings = re.findall(rb"^#+ (.*)$", text, re.MULTILINE)
        anchors = [h.decode().lower().replace(" ", "-") for h in headings]
        assert not anchor or anchor in anchors, target


def test_the_table_of_python_has_every_command():
    rows = re.findall(r"^\| (`[^|]+) \| `geoseg\.", README, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"[a-z-]+", row)}
    of_models = main.get_command(None, "models").commands
    assert named == {*main.list_commands(None), *of_models} - {"completion"}
