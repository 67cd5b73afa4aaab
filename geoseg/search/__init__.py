"""Imagery by place and time: what a STAC API has of it.

* `stac_client` opens an API, by name or address, and asks it for items
* `results` are what it found: dates, clouds, shares of the area
* `picture` draws them over the area
* `search` is the job: ask, and write what a run can be repeated with
* `saved_items` is that file beside what is made of it, so that a rerun asks nobody
"""
