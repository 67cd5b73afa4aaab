"""Raster files: what users name, what a file says of itself, and its pixels.

* `paths` lists the files that paths, folders, patterns, lists and URLs stand for,
  `object_stores` those on an object store
* `guard` is the door: what else a file would make GDAL read is found before it is
  opened; `blocks` is what is decoded to see one pixel of it
* `servers` is what a web server must do, `retries` asks again, `redirects` keeps GDAL
  with the servers that were named
* `pool` keeps open files that no thread uses just now
* `datasets` opens files with GDAL, under settings of ours
* `formats` says what GDAL here cannot read
* `header` is all that a file says of itself; no pixel is read for it
* `sidecars` are masks and overviews in files of their own
* `failure` says why a file that could be opened cannot be read
* `index` reads the headers of many files at once, and keeps them
* `usable` judges it, and makes a raster of it or refuses it; `georeference` is where on
  Earth its pixels are
* `raster` is one file: pixels of a window, and where each band has data; `parts` cuts
  pictures of it into what GDAL's cache holds
* `quantised` is what whole numbers stand for in fields of learned features, `scales`
  pairs TESSERA's with theirs
"""
