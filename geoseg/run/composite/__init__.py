"""Many dates on disk to one cloudless image: ``geoseg.composite``.

* `config` is a composite that is resolved and has not begun; `prepare` resolves
  it
* `job` is what a worker does of it; the engine is that of all runs
* `clouds` has another model map each date first, where one is to mask them
* `products` are the files, and their record
* `make` composes all that
"""
