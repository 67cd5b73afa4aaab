"""Turn any large georeferenced image into a land-cover map."""
