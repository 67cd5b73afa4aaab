"""What people take away from a run besides its maps.

* `report` says what ran on what, how long it took and the area of each class
* `preview` draws the map beside the image, `slide` is the layout of that
* `components` shows many bands as three
* `stac_item` is the map as catalogues read it
* `footprints` draws where members, an area and tiles lie
* `map_page` is the page of a map, `html` the shell of any page, `pyramid` its tiles
* `imagery` is what a picture shows of an image
"""
