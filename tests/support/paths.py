"""Where things are in this repository."""

from pathlib import Path

SUPPORT = Path(__file__).parent
ROOT = SUPPORT.parents[1]
SAMPLE = ROOT / "sample_aoi"
