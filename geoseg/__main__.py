"""Run geoseg as ``python -m geoseg``."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # from a clone, which no pip looked at
    sys.exit("geoseg needs Python 3.11 or a later one; start it with that")

from geoseg.cli import program

program()
