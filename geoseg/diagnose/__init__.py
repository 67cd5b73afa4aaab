"""What can be said before a map is made, and of tiling itself.

* `info` is what geoseg sees in imagery
* `forecast` is what a run will cost, of `samples` that `trial_blocks` and `trial_tiles`
  take if nobody did before, and of `empty_tiles`; `stage_time` is what comes after
  the model, at the `rates` of the machine; `cost` is what it takes with so many
  workers, at their price
* `export` proves a model's ONNX file before it is written
* `verify` measures what tiling changes, with `comparison`
"""
