"""From labelled scenes to a model package.

* `options` is what a user may ask
* `class_mapping` says which labels mean which class; `labelled_scenes` are images with
  labels, `bands` which of theirs are learned from, `inputs` several scenes as one;
  `folds` cut them by area, `dataset` is all that made ready
* `strips` goes through planes that are not held, row by row
* `samples` are chips cut from it, `sampler` draws them, `augmentation` varies them
* `initial` is the network that a training begins with, `encoder_weights` what others
  taught its encoder, `losses` what is made small
* `trainer` is the loop: `validation` looks at it after each epoch, `checkpoint` keeps
  it, `curves` draw it; `held_out` measures it at last
* `temperature` makes confidences of scores, measured on ground it was not fitted on;
  `reliability_plot` draws that, `calibrate` gives a temperature to any package
* `train` puts it together
* `applicability` keeps what decides where a model applies
* `pixelwise` fits few labels in seconds, and `live` maps anew whenever these are saved
* `chips` is for people who train elsewhere
"""
