"""Labels that are watched: each time that they are saved, a new map.

* `options` is what a user may say
* `labels_file` sees when a file of labels was saved
* `live` fits and maps until somebody ends it
"""
