"""Web pages that need nothing but themselves: no server, no network, no other file.

A page is a template of `assets/` that fills the blocks of ``shell.html``: styles,
pictures, data and code stand in the one file. Whatever a value holds stays text: Jinja
escapes it, and the page's own policy lets a browser run no code but the scripts that
were put in here, and ask nobody for anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.report.report import Json

_ASSETS = "assets"
"""The folder of templates, styles and scripts beside this module."""


def render(
    template: str,
    *,
    scripts: Sequence[str] = (),
    data: Json = None,
    **values: Any,  # noqa: ANN401  # whatever a template shows
) -> str:
    """Fill a template, and give the whole page.

    Args:
        template: A file of `assets` that extends ``shell.html``.
        scripts: Files of `assets` that the page runs, in this order.
        data: What they find as JSON in the element ``#data``.
        values: What the template shows; ``title`` is the page's.

    """
    codes = [asset(name) for name in scripts]
    return (
        _templates()
        .get_template(template)
        .render(
            policy=_policy(codes),
            version=version("geoseg"),
            style=Markup(asset("page.css")),  # noqa: S704  # our own file
            data=_json_in_html(data),
            codes=[Markup(code) for code in codes],  # noqa: S704  # the same
            **values,
        )
    )


def picture_uri(data: bytes, kind: str = "png") -> str:
    """Write a picture as an address, for an image of a page: nothing is fetched.

    Example:
        >>> picture_uri(b"GIF89a", "gif")
        'data:image/gif;base64,R0lGODlh'

    """
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def asset(name: str) -> str:
    """Read a file of `assets`."""
    return files("geoseg.report").joinpath(_ASSETS, name).read_text(encoding="utf-8")


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("geoseg.report", _ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _policy(codes: Sequence[str]) -> str:
    """Say what a browser may do with the page: run its own scripts, and no more.

    To its own server alone it may speak, where it has one: see `geoseg view`.
    """
    digests = (hashlib.sha256(code.encode()).digest() for code in codes)
    known = " ".join(f"'sha256-{base64.b64encode(d).decode('ascii')}'" for d in digests)
    return (
        f"default-src 'none'; script-src {known or repr('none')}; style-src "
        f"'unsafe-inline'; img-src data: blob:; connect-src 'self'; base-uri 'none'; "
        f"form-action 'none'"
    )


def _json_in_html(data: Json) -> Markup:
    r"""Write JSON that no browser takes for markup, whatever its texts hold.

    Example:
        >>> print(_json_in_html({"name": "</script><!--"}))
        {"name":"\u003c/script>\u003c!--"}

    """
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704  # no tag can begin in it
