"""Where pixels are, as values: no file, no torch.

* `tiling` is integers: windows, tiles, blocks, seams
* `geobox` is a pixel plane on Earth: shape, transform, CRS
* `legend` is class ids, names and colours
* `band_names` is what sensors call their bands
* `kernel` compiles loops over pixels and vertices
"""
