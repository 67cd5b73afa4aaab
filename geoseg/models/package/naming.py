"""What a model may be called: nearly anything, as people name folders."""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256

from geoseg.errors import ModelError

_LONGEST = 255
"""Bytes of a name, in UTF-8: as many as file systems take."""
_PLAIN = re.compile(r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]")
"""What the MLM extension's schema allows."""
_OTHERS = re.compile(r"[^a-zA-Z0-9_.\- ]+")
_DIGITS = 8
"""Digits of a checksum that stand for a name in another script."""


def check_name(name: str) -> None:
    """Refuse what cannot be a model's name.

    Raises:
        ModelError: It is blank, has characters that cannot be printed, or is longer
            than file systems allow.

    """
    if not name.strip():
        raise ModelError("the model has no name; give it one")
    if not name.isprintable():
        raise ModelError(
            f"a model cannot be called {name!a}: some of its characters cannot be "
            f"printed; give it another name"
        )
    if len(name.encode()) > _LONGEST:
        raise ModelError(
            f"a model's name has {_LONGEST} bytes at most, {name[:20]}... has "
            f"{len(name.encode())}; give it a shorter one"
        )


def name_of_folder(folder: str) -> str:
    """Make a model's name of its folder's; what cannot be printed becomes a dash.

    Example:
        >>> name_of_folder("modèle #1"), name_of_folder(" ")
        ('modèle #1', 'model')

    """
    printable = "".join(each if each.isprintable() else "-" for each in folder)
    return printable.strip() or "model"


def plain_name(name: str) -> str:
    """Write a name in the characters that the MLM extension allows: ASCII's, mostly.

    Example:
        >>> plain_name("modèle #1 100%"), plain_name("my-model-"), plain_name("ab")
        ('modele -1 100', 'my-model', 'model-ab')

    """
    if _PLAIN.fullmatch(name):
        return name
    ascii_only = unicodedata.normalize("NFKD", name)
    ascii_only = "".join(c for c in ascii_only if not unicodedata.combining(c))
    plain = _OTHERS.sub("-", ascii_only).strip("-_. ")
    if not plain:
        plain = sha256(name.encode()).hexdigest()[:_DIGITS]
    return plain if _PLAIN.fullmatch(plain) else f"model-{plain}"
