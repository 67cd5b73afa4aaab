"""What people draw, on a scene's pixels.

* `coverage` is the one rule of which pixels a polygon covers
* `aoi` are areas of interest, `labels` what is trained on, `reference` what a map is
  held against
"""
