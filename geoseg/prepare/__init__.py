"""Settle everything of a run before it begins.

* `options` is what a user may ask
* `identity` is what a resume must agree on
* `setup` is a run that is settled
* `settle` makes one of what was asked: all refusals of bad input come from here
"""

from geoseg.prepare.options import SegmentOptions
from geoseg.prepare.settle import prepare
from geoseg.prepare.setup import Setup

__all__ = ["SegmentOptions", "Setup", "prepare"]
