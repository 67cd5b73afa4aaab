"""What people take away from a run besides its maps.

* `report` says what ran on what, how long it took and the area of each class
* `preview` draws the map beside the image, for a slide; `page` is its layout
* `confusion` draws a confusion matrix
* `ground` says how large the pixels of a plane are and where north is
"""
