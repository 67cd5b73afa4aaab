"""The door for vector files, both ways.

* `read` reads files that people hand in, guarded; `views` bounds computed layers
* `formats` is the table of what can be written; `rows` keeps polygons, as `wkb` makes
  them of vertices, until `write` writes them, `geoparquet` along a curve; `read_back`
  proves that they are whole; `replacing` is what may be replaced, `qgis_style` draws
  them; `own_layer` writes a table of ours
* `lonlat` brings polygons to degrees as RFC 7946 wants them: `globe` cuts them at its
  edges, `densify` gives long sides vertices, `to_lonlat` is the way there, `crossings`
  finds what rounding may have broken, and `geojson` writes them
* `polygons` keeps polygons of whatever geometries
"""
