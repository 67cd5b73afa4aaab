"""Run geoseg as ``python -m geoseg``."""

from geoseg.cli import main

main(prog_name="geoseg")
