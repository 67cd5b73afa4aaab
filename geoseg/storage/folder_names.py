"""Names that a folder can have on any system, made of names that people give."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
"""What Windows has in no name, and what separates names elsewhere."""
_END = re.compile(r"[. ]+$")
"""What Windows takes off the end of a name without a word."""
_DEVICES = re.compile(r"(con|prn|aux|nul|(?:com|lpt)[0-9¹²³])(?=\.|$)", re.IGNORECASE)
"""What Windows opens as a device, whatever comes after a dot."""
_LONGEST = 100
"""Bytes of a name: room for a folder and a file within Windows' 260 characters."""


def folded(name: str) -> str:
    """Write a name so that it equals others that Windows or macOS take for the same.

    They tell names apart neither by capitals nor by how an accent is written.

    Example:
        >>> folded("Köln") == folded("KO\u0308LN"), folded("a") == folded("ä")
        (True, False)

    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def folder_name(text: str) -> str:
    """Write a name so that a folder may have it on Linux, macOS and Windows.

    Example:
        >>> folder_name("Berlin: Mitte"), folder_name("no. 3."), folder_name("con.1")
        ('Berlin_ Mitte', 'no. 3_', 'con_.1')

    """
    name = _UNSAFE.sub("_", text)
    name = _END.sub("_", name)
    name = _DEVICES.sub(r"\1_", name) if _DEVICES.match(name) else name
    whole = name.encode()
    if len(whole) <= _LONGEST:
        return name
    # What differs beyond that stays apart by a digest of all of it.
    digest = "_" + hashlib.sha256(whole).hexdigest()[:8]
    return whole[: _LONGEST - len(digest)].decode(errors="ignore") + digest
