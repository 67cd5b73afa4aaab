"""Class raster to polygons: a coverage without gaps, overlaps or block edges.

The rooms, in the order a map walks them:

* `blocks` cuts the map into windows that overlap by one pixel
* `regions` finds connected pixels of one class in a block
* `arcs` traces the lines between regions in a block, from junction to junction
* `network` joins the blocks' regions and arcs into those of the whole map
* `chain` makes arcs of the pieces that end where there is no junction
* `rings` makes rings of arcs, and polygons with holes of rings
* `measure` gives areas and perimeters on the ground
* `polygons` is the call that walks them all
* `writers` is the door for vectors; `geojson` and `style` prepare what they write

`kernel` says how the loops over pixels and vertices are compiled.
"""
