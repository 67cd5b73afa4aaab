"""From options to products: what is asked becomes a plan, tasks, parts and files.

* `options` is what a user may ask of a run
* `resolve` makes a `configuration` of it and refuses what cannot be: inputs, model,
  `plan`, `identity`
* `tasks` is what a worker does with a block or a seam; `engine` walks the plan with
  dask
* `journal` remembers what is done, on a disk or an object store
* `cluster` opens dask clients and proves their workers
* `deliver` writes what people take away; `masking` leaves out what another model sees
* `segment` composes all that into jobs; `assess` and `sample_points` are jobs on maps
"""
