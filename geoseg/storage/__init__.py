"""Where bytes are: disks, servers and buckets; files that appear whole or not at all.

* `remote` knows URLs, object stores and the settings that reach them; `bucket` is a
  folder of objects, `lease` says who owns one; `waiting` says what is waited for,
  `timeouts` remembers servers that were silent, `signing` signs addresses as they are
  read
* `fingerprint` knows an input again, or sees that it changed
* `staging` makes files that appear whole or not at all, by `renames` that outlast who
  has a file open, `lock` keeps a second writer out, `authorship` knows what geoseg
  wrote from what people made, `full_disk` says which disk is full
* `output` is where a run's products go, `folder_names` writes names as any system's
  folders may have them
* `resume` compares work that is left with the work that is asked for
* `raster_references` finds what a raster would make GDAL read, before it is opened, and
  `hdf5_references` ways out of an HDF5 file; `allowed_drivers` are those of GDAL that
  somebody allowed; `gdal_paths` names files so that GDAL takes any of them,
  `gdal_cache` keeps its memory small
* `mapped` makes arrays that grow with a map: in memory while small, in files where not
* `prefetch` reads, or makes, what is wanted next while what came last is at work
* `spool` keeps arrays that are too large to be held in a file without a name
* `vectors` reads and writes vector files
* `sample_area` writes the sample that comes with geoseg
"""
