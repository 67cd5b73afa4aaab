"""Model packages: weights with the metadata that makes them usable.

* `files` are what a package is made of; `installed`, `hub` and `archive` are where
  packages come from, `naming` says what a name may be
* `card` is what a package says of its model; `mlm_read` and `mlm_write` keep it as an
  item of STAC's Machine Learning Model extension
* `inputs` are bands, and what a model of several inputs says of each; `new_inputs` what
  somebody says of them beside bare weights
* `package` holds a package's files against each other
* `new_card` is what was said of bare weights, `make` makes a package of them in a
  `new_folder`
* `pickled`, `layouts` and `safetensors_header` read weights; `hints`, `infer`,
  `onnx_metadata` and a `trial` say what they show of themselves, `network_config` what
  is still unsaid
* `scaling` is how bands are brought to what the network was trained on,
  `value_scaling` the same in the words of the extension
* `training_vectors` are pixels that it learned from, `nearest` finds which of them is
  the most alike; `reliability` is how sure it was of others, and how often right
"""
