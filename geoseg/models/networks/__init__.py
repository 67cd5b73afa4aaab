"""Networks: architectures, what they give, how far they look, and a CRF behind them.

* `architectures` is the table of them, `survey` sizes all; `fcn`, `siamese`,
  `pixelwise` and `dynamic_world` hold those that smp lacks, `forest` a head of trees
* `network` builds, loads and saves them; `lean_import` brings smp, which has most of
  them, without torch's compiler
* `onnx` runs those of other frameworks: `onnx_file` makes one piece of a file,
  `onnx_inputs` cuts what it takes out of tiles, `onnx_output` finds the scores among
  its outputs
* `penultimate` gives what a network knows before it names classes
* `activations` brings what a network gives to a logit a class
* `batch_norm` folds batch normalisation into convolutions
* `receptive_field` measures how far a pixel reaches
* `crf` refines probabilities along the edges of the image
"""
