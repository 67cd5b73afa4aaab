"""From options to products: what is asked becomes a plan, tasks, parts and files.

* `resolve` makes a `configuration` of what is asked and refuses what cannot be: inputs
  (`arrays` of Python's among them, `scene_names` where there are several), model,
  `plan`, `identity`; `overwrite` refuses to replace what a run reads or somebody made,
  `disk_space` is what it takes of a disk, `resources` what of memory, and `samples` is
  what a forecast saw of its scene before
* `tasks` is what a block or a seam is made to, `parts` what of that goes to the run
  directory, `work` the tasks that do some of them and write their files; `engine` walks
  the plan of any `job` with dask; `metrics` is what a worker counts, `trace` the
  timeline of a run
* `journal` remembers what is done, on a disk or an object store, and `status` says how
  far a run is that goes on elsewhere or has stopped
* `cluster` opens dask clients and proves their workers
* `beside` makes what can be made while blocks are inferred: the `rasters`, the lines of
  polygons (`vectors`), and the draft of pictures
* `deliver` writes what people take away, `page` what is shown in a browser and
  `map_item` the STAC item, both of which `reassess` writes anew when more is known of a
  map's areas; `masking` leaves out what another model sees, `applicability` says where
  the model has no business
* `segment` composes all that into jobs, `many_scenes` those of many scenes, which go
  through `stages` side by side; `model` does so in memory; `composite` makes one image
  of many dates, `suggest` says where labels are missing
* `assess`, `sample_points`, `areas`, `change` and `relabel` are jobs on maps; `view`
  shows one over its image
"""
