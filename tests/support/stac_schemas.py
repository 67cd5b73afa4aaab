"""What the texts of five STAC extensions ask for, as JSON schemas of our own.

pystac brings the schemas of the core and fetches those of extensions, which tests
cannot. These say what the extensions' specifications say of the fields that a map's
item has: of which type and range; a field of an extension's prefix that is not among
them is refused.
"""

from pystac.validation.stac_validator import JsonSchemaSTACValidator

_URL = "https://stac-extensions.github.io/{}/schema.json"


def _extension(name, *, properties=(), assets=()):
    """Make a schema of an item: an extension is declared, and its fields fit."""
    uri, prefix = _URL.format(name), name.split("/")[0]
    prefix = {"projection": "proj", "classification": "classification"}.get(
        prefix, prefix
    )

    def fields(known):
        return {
            "type": "object",
            "properties": {
                f"{prefix}:{key}": value for key, value in dict(known).items()
            },
            "patternProperties": {f"^(?!{prefix}:)": {}},
            "additionalProperties": False,
        }

    asset = fields(assets)
    bands = {"bands": {"type": "array", "items": fields(assets)}}
    asset["properties"] |= bands
    return uri, {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": f"{uri}#",
        "type": "object",
        "required": ["stac_extensions", "properties", "assets"],
        "properties": {
            "stac_extensions": {"type": "array", "contains": {"const": uri}},
            "properties": fields(properties),
            "assets": {"type": "object", "additionalProperties": asset},
        },
    }


_NUMBERS = {"type": "array", "items": {"type": "number"}}
_CLASS = {
    "type": "object",
    "required": ["value", "name"],
    "properties": {
        "value": {"type": "integer"},
        "name": {"type": "string", "pattern": "^[0-9A-Za-z_-]+$"},
        "title": {"type": "string"},
        "color_hint": {"type": "string", "pattern": "^[0-9A-F]{6}$"},
    },
    "additionalProperties": False,
}

SCHEMAS = dict(
    (
        _extension(
            "projection/v2.0.0",
            properties={
                "code": {"type": ["string", "null"], "pattern": "^[A-Z]+:[0-9]+$"},
                "wkt2": {"type": "string"},
                "shape": {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 1},
                    "minItems": 2,
                    "maxItems": 2,
                },
                "transform": {**_NUMBERS, "minItems": 6, "maxItems": 9},
            },
        ),
        _extension(
            "raster/v2.0.0",
            assets={
                "sampling": {"enum": ["area", "point"]},
                "scale": {"type": "number"},
            },
        ),
        _extension(
            "file/v2.1.0",
            assets={
                "checksum": {"type": "string", "pattern": "^1220[0-9a-f]{64}$"},
                "size": {"type": "integer", "minimum": 0},
            },
        ),
        _extension(
            "classification/v2.0.0",
            assets={
                "classes": {
                    "type": "array",
                    "items": _CLASS,
                    "minItems": 1,
                    "uniqueItems": True,
                }
            },
        ),
        _extension(
            "processing/v1.2.0",
            properties={
                "level": {"type": "string", "pattern": "^(RAW|L[0-4][A-C]?)$"},
                "lineage": {"type": "string"},
                "software": {
                    "type": "object",
                    "additionalProperties": {"type": "string"},
                },
            },
        ),
    )
)


def offline_validator():
    """Give pystac's validator with these schemas; it fetches nothing for them."""
    validator = JsonSchemaSTACValidator()
    validator.schema_cache = {**validator.schema_cache, **SCHEMAS}
    return validator
