"""Models fitted in seconds to few labelled pixels, chosen by spatial cross-validation.

* `labelled` reads the chunks that hold labels, and no other
* `neighbourhoods` holds them with what lies around, whose probabilities are averaged
* `windows` says how far each kind of features looks
* `ground_folds` cuts labelled ground into folds by cell
* `heads` fits classifiers with scikit-learn, a `pool` of linear ones among them, and
  makes networks of them
* `probe` finds a frozen network whose features are used, too
* `choose` tries them on held-out ground
* `fit` makes a model package of what won
"""
