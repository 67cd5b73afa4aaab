"""The grid of a scene, and how files on other grids are read on it.

* `common_grid` finds the one grid that files lie on, `chosen_grid` makes one that a
  user chose
* `coordinates` finds a grid's pixels in a file on another one, `gather` is the loops
  over them, and `warped` reads the file there
"""
