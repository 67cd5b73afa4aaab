"""What docs/python.md shows is true."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
EXAMPLES = re.findall(
    r"```python\n(.*?)```",
    (REPOSITORY / "docs" / "python.md").read_text(encoding="utf-8"),
    re.DOTALL,
)


def test_the_examples_run_as_they_stand_one_after_the_other(tmp_path, monkeypatch):
    (tmp_path / "sample_aoi").symlink_to(REPOSITORY / "sample_aoi")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    assert EXAMPLES
    for example in EXAMPLES:
        exec(compile(example, "python.md", "exec"), names)  # noqa: S102  # our own docs
