"""Where a label teaches a model most.

* `candidates` draws one uncertain pixel of each cell of the map
* `spaces` says in which features pixels are compared, and reads these at places
* `farthest` chooses candidates that are unlike what is labelled, and each other
* `suggest` makes the job of it
"""
