"""The door for imagery: whatever there is, as one image.

The rooms, in the order that an image comes together:

* `files` are raster files: which are named, their headers, their pixels
* `warp` is the one grid that files lie on or that is chosen, and reading on it
* `items` name their bands before a file is opened: STAC items, Sentinel-2 products
* `layout` finds items among what is named and lays them as members; `metadata` is what
  an item and its files say together
* `stacked_bands` puts bands in files of their own together
* `quality` is the classes of SCL and QA_PIXEL
* `mosaic` says which bands of several files are the same, and which file is on top
* `members` are a scene's members, laid on its grid; `composite` makes one image of
  several looks at one ground
* `stacked_inputs` puts several inputs of a model behind each other, on one grid
* `assemble` is what all scenes begin with: headers, a grid
* `image` is the scene: what the rest of geoseg reads; `pictures` shows a window of it,
  `unchanged` says whether it is what it was
* `mirrored` reads windows that reach beyond a scene
* `histograms` add up what pixels come to, in any order; `statistics` does so for a
  whole scene
* `cache` is the user's: what can be computed again; `cache_key` says where what was
  found of a scene is in it
* `arrays` gives what is read by windows to xarray
* `open` is the way in: ``geoseg.open_scene``
"""

from geoseg.options import SceneOptions
from geoseg.scene.composite.observations import check_near
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
    "check_near",
    "files_named",
    "open_scene",
    "several",
]
