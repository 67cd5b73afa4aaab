"""The grid of a scene, and how files on other grids are read on it.

* `planes` finds the one grid that files lie on, `choice` makes one that a user chose
* `coordinates` places a grid's pixels in a file on another one, `gather` is the loops
  over them, and `warp` reads the file there
"""
