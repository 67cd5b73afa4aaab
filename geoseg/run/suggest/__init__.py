"""Where a label teaches a model most.

* `candidates` draws one pixel of each cell of the map
* `spaces` says in which features pixels are compared, and reads these at places
* `selection` chooses among the uncertain ones, of each class in turn
* `suggest` makes the job of it
"""
