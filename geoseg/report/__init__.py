"""What people take away from a run besides its maps.

* `report` says what ran on what, how long it took and the area of each class
* `preview` draws the map beside the image, `slide` is the layout of that
* `imagery` is what a picture shows of an image, of many bands their `components`;
  `overview` is an image read once for several pictures
* `assessed_areas` is what a sample of the ground says of a map's areas
* `stac_item` is the map as catalogues read it
* `footprints` draws where members, an area and tiles lie
* `html` is the shell of pages for a browser; `map_page` is that of a map and
  `change_page` of what changed between two, `training_page` of a training, with its
  `pyramid` of tiles, the least sure `places`, and its plane's `plane_summary`
* `view` serves a page to this machine, its map at full resolution
"""
