"""Several looks at one ground as one image: what is there when nothing is in the way.

* `dates` reads when things were, and ranges of dates
* `seasons` are days of every year, and what was acquired then
* `observations` says which members are one look, and which look goes first
* `kernels` are the loops over pixels; `rules` choose among them
* `read` makes a window of a composite, strip by strip
"""
