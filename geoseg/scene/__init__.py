"""The door for reading: whatever imagery there is, as one image.

The rooms, in the order that an image comes together:

* `options` is what a user may say about it
* `datasets` opens files with GDAL, once a thread, under settings of ours
* `header` is all that a file says of itself; no pixel is read for it
* `raster` is one file: pixels of a window, and where each band has data
* `image` is the scene: what the rest of geoseg reads
* `opening` is the way in: `open_scene`
"""

from geoseg.scene.image import Scene
from geoseg.scene.opening import open_scene
from geoseg.scene.options import SceneOptions

__all__ = ["Scene", "SceneOptions", "open_scene"]
