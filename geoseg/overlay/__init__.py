"""What people draw, on a scene's pixels: areas of interest, labels, references.

`coverage` is the one rule of which pixels a polygon covers.
"""
