"""Settle everything of a run before it begins.

* `options` is what a user may ask
* `claim` keeps what is read, and what somebody made, from being replaced
* `identity` is what a resume must agree on
* `setup` is a run that is settled
* `settle` makes one of what was asked: all refusals of bad input come from here
"""

from geoseg.prepare.claim import check_products
from geoseg.prepare.options import SegmentOptions
from geoseg.prepare.settle import prepare
from geoseg.prepare.setup import Setup

__all__ = ["SegmentOptions", "Setup", "check_products", "prepare"]
