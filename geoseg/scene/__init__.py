"""The door for reading: whatever imagery there is, as one image.

The rooms, in the order that an image comes together:

* `options` is what a user may say about it
* `files` are raster files: which are named, their headers, their pixels
* `grids` are the one grid that files lie on or that is chosen, and reading on it
* `items` tell their bands before a file is opened: STAC items, Sentinel-2 products
* `quality` is the classes of SCL and QA_PIXEL
* `mosaic` says which bands of several files are the same, and which file is on top
* `members` are a scene's members, laid on its grid
* `image` is the scene: what the rest of geoseg reads
* `assemble` is what all scenes begin with: headers, a grid
* `beside` puts bands in files of their own together, `completing` holds what a item
  says and what its files say, `catalogue` makes members of items
* `tally` adds up what pixels come to, in any order; `statistics` does so for a whole
  scene, and keeps it
* `opening` is the way in: `open_scene`
"""

from geoseg.options import SceneOptions
from geoseg.scene.files.paths import Inputs, absolute, files_named, several
from geoseg.scene.image import Scene
from geoseg.scene.items.item import Needs
from geoseg.scene.open import open_scene

__all__ = [
    "Inputs",
    "Needs",
    "Scene",
    "SceneOptions",
    "absolute",
    "files_named",
    "open_scene",
    "several",
]
