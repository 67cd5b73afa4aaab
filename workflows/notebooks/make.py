"""One notebook of each tutorial of docs/tutorials, so that nothing is written twice.

    python workflows/notebooks/make.py            # writes them beside this file
    python workflows/notebooks/make.py --execute  # and runs each in an empty folder

Text becomes text, whose links and pictures lead to docs/ of this repository; a block
of `bash` becomes a cell of commands, one of `python` a cell of code; what a page only
shows (`console`) stays text. Notebooks are kept without outputs; `--execute` needs
`nbclient` and `ipykernel` (`pip install 'geoseg[test]'`) and says how long each took.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TUTORIALS = HERE.parents[1] / "docs" / "tutorials"
_FENCE = re.compile(r"^```(bash|python)\n(.*?)^```\n?", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:)([^)#]+\.(?:md|png))")
_METADATA = {
    "kernelspec": {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}


def main() -> None:
    """Write all notebooks, and run them where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--execute", action="store_true", help="run each as well")
    parser.add_argument("--only", nargs="+", help="names of tutorials")
    options = parser.parse_args()
    for page in sorted(TUTORIALS.glob("*.md")):
        if options.only and page.stem not in options.only:
            continue
        text = written(page.read_text(encoding="utf-8"))
        path = HERE / f"{page.stem}.ipynb"
        path.write_text(text, encoding="utf-8")
        if options.execute:
            execute(json.loads(text), page.stem)


def written(page: str) -> str:
    """Give a tutorial's notebook as the text of its file."""
    content = {
        "cells": cells(page),
        "metadata": _METADATA,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def cells(page: str) -> list[dict[str, Any]]:
    """Cut a page's Markdown into cells of text and of code, in their order."""
    found: list[dict[str, Any]] = []
    pieces = _FENCE.split(page)
    for index in range(0, len(pieces), 3):
        text = pieces[index].strip()
        if text:
            found.append({"cell_type": "markdown"} | cell(linked(text), len(found)))
        if index + 1 < len(pieces):
            language, code = pieces[index + 1 : index + 3]
            found.append(
                {"cell_type": "code", "execution_count": None, "outputs": []}
                | cell(code_of(language, code), len(found))
            )
    return found


def cell(source: str, number: int) -> dict[str, Any]:
    """Give what every cell has; its name is its number, which stays when it is run."""
    lines = source.splitlines(keepends=True)
    return {"id": f"cell-{number}", "metadata": {}, "source": lines}


def code_of(language: str, code: str) -> str:
    """Write a block as a cell has it: commands go to the shell."""
    lines = code.strip().splitlines()
    return "\n".join(f"!{line}" if language == "bash" else line for line in lines)


def linked(text: str) -> str:
    """Let links between the pages lead from this folder to them."""

    def moved(link: re.Match[str]) -> str:
        target = (TUTORIALS / link[1]).resolve()
        path = os.path.relpath(target, HERE.resolve())
        return f"]({Path(path).as_posix()}"

    return _LINK.sub(moved, text)


def execute(content: dict[str, Any], name: str) -> None:
    """Run a notebook in an empty folder; a cell or a command that fails ends it."""
    import nbformat  # noqa: PLC0415  # who writes them alone needs neither
    from nbclient import NotebookClient  # noqa: PLC0415  # the same

    for each in content["cells"]:
        if each["cell_type"] == "code":
            each["source"] = "\n".join(map(checked, each["source"]))
    notebook = nbformat.from_dict(content)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=None, resources=resources).execute()
    print(f"{name}: {time.monotonic() - started:.0f} s")


def checked(line: str) -> str:
    """Let a command that fails be an error, which it is not in a notebook."""
    line = line.rstrip("\n")
    return f"{line}\nassert not _exit_code, {line!r}" if line[:1] == "!" else line


if __name__ == "__main__":
    main()
