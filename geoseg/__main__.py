"""Run geoseg as ``python -m geoseg``."""

from geoseg.cli import program

program()
