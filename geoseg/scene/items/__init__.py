"""Items: what names its bands before a file is opened.

* `item` is what all have in common: the bands that are offered, and which are needed
* `documents` reads JSON from files and servers, `links` says where references may lead
* `stac` makes items of STAC items, whose bands `assets` finds; `sentinel2` knows what
  baselines did to their numbers
* `safe_product` makes items of Sentinel-2 products, whose metadata `safe_metadata`
  understands
"""
