"""Class raster to polygons: a coverage without gaps, overlaps or block edges.

The rooms, in the order a map walks them:

* `blocks` cuts the map into windows that overlap by one pixel; `arriving` takes them
  from whoever writes the map
* `regions` finds connected pixels of one class in a block
* `arcs` traces the lines between regions in a block, from junction to junction
* `memory` says what they will take of memory or disk, before they have taken it
* `network` joins the blocks' regions and lines into those of the whole map
* `merge` merges patches that are too small: `sieve` says where they go, and
  `recolour` makes regions of what is left
* `chain` makes arcs of the pieces that end where there is no junction
* `rings` makes rings of arcs, and polygons with holes of rings
* `simplify` and `smooth` move arcs, each once, where the way is `clear`
* `table` puts polygons beside what is known of them; `measure` measures them
* `polygons` is the call that walks them all, as a `drawing` asks, in `units` that
  people write
* `clip` cuts polygons to an area's outline
* `polygonize` does it from file to file, `geodataframe` in memory
"""
