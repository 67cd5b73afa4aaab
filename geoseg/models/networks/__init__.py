"""Networks: architectures, what they give, how far they look, and a CRF behind them.

* `architectures` is the table of them, `fcn` holds those that smp lacks, `survey` sizes
  all
* `network` builds, loads and saves them; `onnx` runs those of other frameworks
* `activations` brings what a network gives to a logit a class
* `batch_norm` folds batch normalisation into convolutions
* `receptive_field` measures how far a pixel reaches
* `crf` refines probabilities along the edges of the image
"""
