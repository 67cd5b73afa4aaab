"""Chips of scenes and labels as files, for people who train elsewhere.

* `options` is what a user may ask
* `source` is a scene to be cut, `lattice` says where chips lie and in which part of the
  split
* `files` writes a chip's image and its mask, `band_figures` measures what is in them
* `ledger` is the folder of an export under way: what is in it already
* `table` lists the chips as GeoParquet, `stac_catalogue` as STAC items
* `export` puts it together: ``geoseg.tile``
* `dataset` gives the folder to torch: ``geoseg.ChipDataset``
"""
