"""Model packages: weights with the metadata that makes them usable.

* `locate`, `installed`, `hub` and `archive` find a package by name, folder or address
* `card` is what a package says of its model; `mlm_read` and `mlm_write` keep it as an
  item of STAC's Machine Learning Model extension
* `package` holds a package's files against each other, `validate` tries it on a tile
* `new` and `make` make one of bare weights; `pickled`, `layouts` and
  `safetensors_header` read these
* `scaling` is how bands are brought to what the network was trained on
"""
