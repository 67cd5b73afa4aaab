"""The door for reading: whatever imagery there is, as one image.

The rooms, in the order that an image comes together:

* `options` is what a user may say about it
* `places` lists the files that paths, folders, patterns, lists and URLs stand for
* `stores` lists what is on an object store
* `references` finds what else a file would make GDAL read, before it is opened
* `shelf` keeps open files that no thread uses just now
* `datasets` opens files with GDAL, under settings of ours
* `formats` says what GDAL here cannot read
* `header` is all that a file says of itself; no pixel is read for it
* `failure` says why a file that could be opened cannot be read
* `index` reads the headers of many files at once, and keeps them
* `raster` is one file: pixels of a window, and where each band has data
* `planes` finds the one grid that files lie on, `choice` makes one that a user chose
* `coordinates` places a grid's pixels in a file on another one, `gather` is the loops
  over them, and `warp` reads the file there
* `bundle` is what tells its bands before a file is opened: a Sentinel-2 `product`,
  whose metadata `safe` understands, or a STAC item (`stac`) that `documents` reads from
  files and servers; `assets` are an item's bands, `sentinel2` knows what baselines did
  to their numbers, and `hrefs` says where references may lead
* `mosaic` says which bands of several files are the same, and which file is on top
* `servers` is what a web server must do, `quality` the classes of SCL and QA_PIXEL
* `sheets` are a scene's members, laid on its grid
* `image` is the scene: what the rest of geoseg reads
* `frame` is what all scenes begin with: headers, a grid
* `beside` puts bands in files of their own together, `completing` holds what a bundle
  says and what its files say, `catalogue` makes sheets of bundles
* `tally` adds up what pixels come to, in any order; `statistics` does so for a whole
  scene, and keeps it
* `opening` is the way in: `open_scene`
"""

from geoseg.scene.bundle import Needs
from geoseg.scene.image import Scene
from geoseg.scene.opening import open_scene
from geoseg.scene.options import SceneOptions
from geoseg.scene.places import Inputs

__all__ = ["Inputs", "Needs", "Scene", "SceneOptions", "open_scene"]
