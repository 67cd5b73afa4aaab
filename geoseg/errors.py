"""Every error that geoseg raises on purpose, and what its message may show.

* GeosegError
  - InputError      (ValueError)     what was given cannot be used; nothing was run
    - GridError                      windows, tiles or planes that do not fit together
    - ShapeError                     an array of the wrong shape or dtype
    - PlanError                      no plan fits the tile, overlap and block asked for
    - SceneError    (OSError)        a raster that cannot be used; names the path
      - SilentError                  its server sends nothing; names it
    - AoiError                       an area that is empty, invalid or off the scene
    - LabelsError                    reference labels that cannot be used
    - ModelError                     a package that is unknown, damaged or unfit
    - VectorError                    polygons that cannot be made or written as asked
    - OutputError   (OSError)        results cannot be written there
      - BusyError                    another process is writing them; names it
    - ClusterError                   workers or a scheduler that cannot be used
    - ResumeError   (RuntimeError)   the run on disk is another one; says what differs
  - RunError        (RuntimeError)   something failed on the way; finished work is kept
    - BlockError                     a block failed; names it; the cause is chained
    - DeviceError                    the device ran out of memory
    - TrainingError                  training cannot go on (a loss that is no number)
    - ChangedError                   an input was changed while it was read; names it
    - DiskError     (OSError)        the disk is full or went away while writing

The command line turns an InputError into exit status 2 and a RunError into 1.
A message says what was needed, what was found, and what to do about it.

Whatever a message is made of, `str()` of it has no control characters and no secrets of
addresses: see `sentence`.

OSError comes first among the bases where it is one: an exception can only be
sent between processes if it is made the way its first base is.
"""

import json
import math
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""What terminals obey or XML cannot hold: control characters but for tabs and ends of
lines, what turns the direction of writing, halves of characters, and no characters."""
_ADDRESS = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+:/{1,2})(?P<rest>[^\s'\"<>]+)"
)
"""An address, also as pathlib writes it, with one slash."""
_QUERY = re.compile(r"(?<=url: )(?P<path>/[^\s?]*)\?[^\s)]*")
"""What is behind the path of an address that a library says without its host."""
STREAM = "is a pipe or a device, and no file; save what comes of it, and name that"
"""What is said of what is none of the files that can be looked into."""
_END = re.compile(r"[;,.:)\]}]+$")
"""What belongs to the sentence around an address."""
OPTION = re.compile(r"`(?P<name>[a-z][a-z_]*)(?:=(?P<value>[^`]*))?`")
"""How a message names an option: as Python does, between backticks, with or without a
value: ```crs```, ```precision='float32'```. The command line spells it as its flag."""
_LONGEST_MESSAGE = 4000
_LONGEST_VALUE = 80
_LONGEST_NAME = 250


def counted(number: int, one: str, many: str | None = None) -> str:
    """Write a number with what there is of it.

    Args:
        number: How many.
        one: Of one of them.
        many: Of none and of several; `one` and an s where None.

    Example:
        >>> counted(1, "zone has", "zones have"), counted(2000, "point")
        ('1 zone has', '2,000 points')

    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(value: object, parameter: str) -> tuple[str, ...]:
    """Take one text or several; a text alone is not a list of its letters.

    Raises:
        InputError: It is something else; the parameter is named.

    Example:
        >>> listed("gpkg", "formats"), listed(["gpkg", "fgb"], "formats")
        (('gpkg',), ('gpkg', 'fgb'))

    """
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Iterable):
        texts = tuple(value)
        if all(isinstance(text, str) for text in texts):
            return texts
    raise InputError(f"{parameter} is {brief(value)}; give a text or a list of texts")


def needs(
    module: str,
    extra: str,
    what: str,
    error: "type[InputError] | None" = None,
    *,
    instead: str = "",
) -> None:
    """Refuse what needs a package of an extra that is not installed.

    Args:
        module: What is imported then.
        extra: The extra of geoseg's that brings it.
        what: What needs it.
        error: What is raised; InputError where None.
        instead: What can be done without it.

    Raises:
        InputError: It is not installed.

    """
    if find_spec(module) is None:
        raise (error or InputError)(
            f"{what} needs the package {module}, which is not installed: pip install "
            f"'geoseg[{extra}]'{f'; or {instead}' if instead else ''}"
        )


def visible(text: str) -> str:
    r"""Replace what a terminal would obey by the sign of what cannot be shown.

    Example:
        >>> visible("trees\x1b[31m") == "trees\ufffd[31m"
        True

    """
    return _CONTROL.sub("\ufffd", text)


def without_signatures(text: str) -> str:
    """Leave out of addresses in a text what may be secret: user, password, signature.

    Example:
        >>> without_signatures("https://me:word@host/a.tif?sig=1, s3://b/a.tif#2; gone")
        'https://host/a.tif, s3://b/a.tif; gone'
        >>> without_signatures("host: retries with url: /a.tif?sig=1 (refused)")
        'host: retries with url: /a.tif (refused)'

    """
    return _QUERY.sub(r"\g<path>", _ADDRESS.sub(_open_part, text))


def _open_part(address: re.Match[str]) -> str:
    rest = address["rest"]
    end = _END.search(rest)
    after = end[0] if end else ""
    named = re.split(r"[?#]", rest.removesuffix(after), maxsplit=1)[0]
    host, slash, path = named.partition("/")
    return f"{address['scheme']}{host.rpartition('@')[2]}{slash}{path}{after}"


def sentence(text: str) -> str:
    """Make of a message what may be shown: of one without end, beginning and end."""
    if len(text) > _LONGEST_MESSAGE:
        half = _LONGEST_MESSAGE // 2
        text = f"{text[:half]} ... {text[-half:]}"
    return visible(without_signatures(text))


def json_text(value: object) -> str:
    """Write a value as JSON for people or a product: no secret of an address is in it.

    What is no number, or infinite, is null; what else JSON does not know, such as a
    path, is written as Python does.

    Example:
        >>> print(json_text({"map": "https://host/map.tif?sig=1", "f1": math.nan}))
        {
          "map": "https://host/map.tif",
          "f1": null
        }

    """
    text = json.dumps(_without_nan(value), indent=2, ensure_ascii=False, default=str)
    return without_signatures(text)


def _without_nan(value: object) -> object:
    """Replace what is no number by None, however deep."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_without_nan(each) for each in value]
    return value


def brief(value: object) -> str:
    """Write a value for a message: as Python does, 80 characters at most.

    Example:
        >>> brief("water"), len(brief(["tree"] * 1000))
        ("'water'", 80)

    """
    if isinstance(value, str | bytes):
        value = value[: _LONGEST_VALUE + 1]
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def fault_of_name(name: str) -> str:
    r"""Say why a name of a class, a band or a model cannot be used; empty if it can.

    It goes into tables on terminals, into XML and databases: one rule for all of them.

    Example:
        >>> fault_of_name("Bäume"), fault_of_name("a\x1b")
        ('', 'it holds a character that cannot be shown, U+001B')

    """
    if not name.strip():
        return "it is empty"
    if len(name) > _LONGEST_NAME:
        return f"it has {len(name):,} characters, {_LONGEST_NAME} are the most"
    strange = _CONTROL.search(name) or re.search(r"[\t\n]", name)
    if strange:
        return f"it holds a character that cannot be shown, U+{ord(strange[0]):04X}"
    return ""


def fault_of_path(path: object) -> str:
    """Say why a path cannot be used, where no library takes it; empty if it can.

    Example:
        >>> fault_of_path("Bäume.tif"), fault_of_path(chr(0xDCFF))
        ('', 'its name is not in UTF-8, as GDAL and every record want it; rename it')

    """
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return "its name is not in UTF-8, as GDAL and every record want it; rename it"
    return "its name holds a NUL" if "\0" in text else ""


def is_stream(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is a pipe, a socket or a device: nothing to be looked into.

    Who opens a pipe waits until somebody writes into it, in a library too, where no
    signal ends it.

    Example:
        >>> is_stream("/dev/null"), is_stream("/nowhere/scene.tif")
        (True, False)

    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  # texts that are no paths, too
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


class GeosegError(Exception):
    """Root of the family: catch this to catch all that geoseg raises on purpose."""

    def __str__(self) -> str:
        """Give the message as it may be shown."""
        return sentence(super().__str__())


@contextmanager
def named_as(**options: str) -> Iterator[None]:
    """Let messages name options as who calls has them: ``numbers="bands"``."""
    try:
        yield
    except GeosegError as error:
        error.args = tuple(
            OPTION.sub(lambda mark: _renamed(mark, options), str(each))
            for each in error.args
        )
        raise


def _renamed(mark: re.Match[str], options: Mapping[str, str]) -> str:
    name, value = mark["name"], mark["value"]
    called = options.get(name, name)
    return f"`{called}`" if value is None else f"`{called}={value}`"


class InputError(GeosegError, ValueError):
    """What was given cannot be used; nothing has been run or written."""


class GridError(InputError):
    """Windows, tiles or pixel planes that do not fit together."""


class ShapeError(InputError):
    """An array of the wrong shape or dtype."""


class PlanError(InputError):
    """No plan fits the tile, overlap and block asked for."""


class SceneError(OSError, InputError):
    """A raster that cannot be used; the message names its path."""

    __str__ = GeosegError.__str__  # not OSError's


class SilentError(SceneError):
    """A server that sends nothing, or hardly anything; the message names it."""


class AoiError(InputError):
    """An area of interest that is empty, invalid or outside the scene."""


class LabelsError(InputError):
    """Reference labels that cannot be used."""


class ModelError(InputError):
    """A model package that is unknown, damaged or does not fit the scene."""


class VectorError(InputError):
    """Polygons that cannot be made or written as asked."""


class OutputError(OSError, InputError):
    """Results cannot be written to a folder, a file or a store."""

    __str__ = GeosegError.__str__  # not OSError's


class BusyError(OutputError):
    """Another process is writing the same results; the message names it."""


class ClusterError(InputError):
    """Workers or a scheduler that cannot be used; names which."""


class ResumeError(InputError, RuntimeError):
    """The run on disk is a different one; the message names the difference."""


class RunError(GeosegError, RuntimeError):
    """Something failed on the way; finished work is kept and can be resumed."""


class BlockError(RunError):
    """A block of the scene failed; the message names it, the cause is chained."""


class DeviceError(RunError):
    """The device ran out of memory; the message names the batch to try."""


class TrainingError(RunError):
    """Training cannot go on, for instance because the loss is not a number."""


class ChangedError(RunError):
    """An input is not what it was when the run began; the message names it."""


class DiskError(OSError, RunError):
    """The disk is full or went away while writing."""

    __str__ = GeosegError.__str__  # not OSError's
