"""Models of others, brought into packages, and packages on their way to others.

* `recipes` is the table of published models that geoseg knows by name
* `import_model` makes a package of one, from the network or from a copy;
  `mlm_item` reads what a STAC item of another's says of its model, `mlm_inputs` of
  the images that it takes, `fetching` opens addresses
* `export_onnx` writes a network as an ONNX file, `onnx_halving` what torch's exporter
  lacks, `push` a package into a repository
* `dynamic_world` is what there is to know of that model beside its weights
* `tensor_bundle` reads the tensors of a TensorFlow SavedModel without TensorFlow
"""
