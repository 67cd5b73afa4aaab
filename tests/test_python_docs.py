"""What docs/python.md shows is true."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
EXAMPLES = re.findall(
    r"```python\n(.*?)```",
    (REPOSITORY / "docs" / "python.md").read_text(encoding="utf-8"),
    re.DOTALL,
)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs_as_it_stands(example, tmp_path, monkeypatch, capsys):
    (tmp_path / "sample_aoi").symlink_to(REPOSITORY / "sample_aoi")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "python.md", "exec"), {})  # noqa: S102  # our own docs
    assert len(capsys.readouterr().out.splitlines()) == example.count("print(")
