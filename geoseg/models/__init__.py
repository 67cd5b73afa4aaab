"""Models: networks, the packages that make them usable, and whether one fits a scene.

* `networks` are architectures and what is measured of them
* `package` is weights with their metadata
* `exchange` brings models of others here
* `find` says which model a name, a folder or an address means; `inspection` what its
  network is, `validate` tries it on a tile
* `band_match` finds a model's bands in a scene, `compatibility` says whether it fits,
  `plausibility` whether the scene's values can be what it learned from
* `open_inputs` opens what is named for each of a model's inputs, as one scene
"""
