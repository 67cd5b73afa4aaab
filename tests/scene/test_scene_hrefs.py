"""Where references of documents lead, and which are followed."""

from pathlib import Path

import pytest

from geoseg.errors import SceneError
from geoseg.scene.items.links import Reach


@pytest.mark.parametrize(
    ("document", "href", "path"),
    [
        (
            "/vsicurl/https://host/a/item.json",
            "B04.tif",
            "/vsicurl/https://host/a/B04.tif",
        ),
        (
            "/vsicurl/https://host/a/item.json",
            "../b.tif",
            "/vsicurl/https://host/b.tif",
        ),
        (
            "/vsicurl/https://host/a/i",
            "https://HOST/b.tif",
            "/vsicurl/https://HOST/b.tif",
        ),
        ("/vsicurl/https://host/a/i?sig=1", "/b.tif", "/vsicurl/https://host/b.tif"),
        ("/vsis3/bucket/a/item.json", "./b/B04.tif", "/vsis3/bucket/a/b/B04.tif"),
        ("/vsigs/bucket/a/item.json", "gs://bucket/c.tif", "/vsigs/bucket/c.tif"),
        ("/data/a/item.json", "B04.tif", "/data/a/B04.tif"),
        ("/data/a/item.json", "b/../B04.tif", "/data/a/b/../B04.tif"),
        ("/data/a/item.json", "file:///data/a/b%20c.tif", "/data/a/b c.tif"),
        ("a/item.json", "./B04.tif", "a/B04.tif"),
    ],
)
def test_references_count_from_the_document(document, href, path):
    folders = [Path("/data/a"), Path("a")]
    reach = Reach.of(folders, [document], anywhere=False)
    assert reach.follow(href, document) == path


@pytest.mark.parametrize(
    ("href", "match"),
    [
        ("https://other/B04.tif", "refers to files on https://other, which"),
        ("//other/B04.tif", "refers to files on https://other, which"),
        ("https://host@other/B04.tif", "refers to files on https://other, which"),
        ("http://host/B04.tif", "refers to files on http://host, which"),
        ("https://host:8080/B04.tif", "refers to files on https://host:8080, which"),
        ("s3://host/B04.tif", "refers to files on s3://host, which"),
        ("file:///etc/passwd", "a file of this machine"),
        ("https://host\\@other/B04.tif", "is no path or address"),
        ("https://host\t.other/B04.tif", "is no path or address"),
        ("/vsis3/bucket/B04.tif", "is no path or address"),
    ],
)
def test_an_item_on_a_server_stays_there(href, match):
    document = "/vsicurl/https://host/a/item.json"
    reach = Reach.of([Path("/etc")], [document], anywhere=False)
    with pytest.raises(SceneError, match=match) as refused:
        reach.follow(href, document)
    assert "https://host/a/item.json refers to" in str(refused.value)


def test_a_long_reference_is_reported_in_short():
    reach = Reach.of([], ["/a/item.json"], anywhere=False)
    with pytest.raises(SceneError) as refused:
        reach.follow("x" * 100_000, "/a/item.json")
    assert len(str(refused.value)) < 400
