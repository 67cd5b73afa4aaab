"""Where pixels are, as values: no file, no torch.

* `windows` are rectangles of whole pixels, `tiling` is tiles, blocks and seams
* `windowed` is what can be read by windows, whatever it is
* `geobox` is a pixel plane on Earth: shape, transform, CRS; `ground` says how large
  its pixels are there
* `cf` writes a plane as xarray and rioxarray read it, `stac` as catalogues do
* `legend` is class ids, names and nodata, `colours` those that nobody gave
* `band_names` is what sensors call their bands, `embeddings` whose learned features
  bands are
* `splits` cuts a scene by area into what is trained on and what is held out
* `jit` compiles loops over pixels and vertices, `allocator` has threads share what
  they free
"""
