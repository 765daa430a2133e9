"""What STAC asks of a document: the core by the schemas that pystac ships, the extensions that geomill uses by JSON Schemas of our own.

These are read from the extensions' specifications, and stricter: a field of an extension that is not named here is refused, and so is a
field whose extension the document does not declare. So they need no network, and a misspelt field does not pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft7Validator
from pystac.validation.local_validator import get_local_schema_cache
from referencing import Registry, Resource

Schema = dict[str, Any]
_NUMBER: Schema = {"type": "number"}
_TEXT: Schema = {"type": "string", "minLength": 1}


def _array(items: Schema, fewest: int = 1, most: int | None = None) -> Schema:
    return {"type": "array", "items": items, "minItems": fewest, **({} if most is None else {"maxItems": most})}


_CLASS: Schema = {
    "type": "object",
    "required": ["value", "name"],
    "additionalProperties": False,
    "properties": {
        "value": {"type": "integer"},
        "name": {"type": "string", "pattern": "^[0-9A-Za-z_-]+$"},
        "title": _TEXT,
        "color_hint": {"type": "string", "pattern": "^[0-9A-Fa-f]{6}$"},
        "nodata": {"type": "boolean"},
    },
}
_RENDER: Schema = {
    "type": "object",
    "required": ["assets"],
    "additionalProperties": False,
    "properties": {
        "assets": _array(_TEXT),
        "title": _TEXT,
        "rescale": _array(_array(_NUMBER, 2, 2)),
        "nodata": {"anyOf": [_NUMBER, {"enum": ["nan", "inf", "-inf"]}]},
        "colormap_name": _TEXT,
        "colormap": {"type": "object", "additionalProperties": {"type": "string", "pattern": "^#[0-9a-f]{6}$"}},
        "resampling": {"enum": ["nearest", "bilinear"]},
        "minmax_zoom": _array({"type": "integer", "minimum": 0, "maximum": 30}, 2, 2),
        "bidx": _array({"type": "integer", "minimum": 1}),
    },
}
_COLUMN: Schema = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {"name": _TEXT, "type": _TEXT, "description": _TEXT},
}

FIELDS: Mapping[str, Mapping[str, Schema]] = {
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json": {
        "proj:code": {"anyOf": [{"type": "string", "pattern": "^[A-Z]+:[0-9A-Za-z]+$"}, {"type": "null"}]},
        "proj:wkt2": _TEXT,
        "proj:shape": _array({"type": "integer", "minimum": 1}, 2, 2),
        "proj:transform": _array(_NUMBER, 6, 9),
        "proj:bbox": _array(_NUMBER, 4, 4),
    },
    "https://stac-extensions.github.io/raster/v2.0.0/schema.json": {
        "raster:spatial_resolution": {"type": "number", "exclusiveMinimum": 0},
        "raster:scale": _NUMBER,
        "raster:offset": _NUMBER,
    },
    "https://stac-extensions.github.io/file/v2.1.0/schema.json": {
        "file:size": {"type": "integer", "minimum": 1},
        "file:checksum": {"type": "string", "pattern": "^1220[0-9a-f]{64}$"},
    },
    "https://stac-extensions.github.io/processing/v1.2.0/schema.json": {
        "processing:software": {"type": "object", "minProperties": 1, "additionalProperties": _TEXT},
        "processing:lineage": _TEXT,
    },
    "https://stac-extensions.github.io/render/v2.0.0/schema.json": {
        "renders": {"type": "object", "minProperties": 1, "additionalProperties": _RENDER},
    },
    "https://stac-extensions.github.io/classification/v2.0.0/schema.json": {
        "classification:classes": {**_array(_CLASS), "uniqueItems": True},
    },
    "https://stac-extensions.github.io/table/v1.2.0/schema.json": {
        "table:columns": _array(_COLUMN),
        "table:primary_geometry": _TEXT,
        "table:row_count": {"type": "integer", "minimum": 0},
    },
}
_OURS = ("ddh:", "geomill:")
_CORE = get_local_schema_cache()
_REGISTRY: Registry[Any] = Registry().with_resources([(uri, Resource.from_contents(schema)) for uri, schema in _CORE.items()])


def problems(document: Mapping[str, Any], what: str) -> list[str]:
    """What STAC's core schema and those of the extensions have against an item or a collection."""
    schema = _CORE[f"https://schemas.stacspec.org/v1.1.0/{what}-spec/json-schema/{what}.json"]
    return [error.message for error in Draft7Validator(schema, registry=_REGISTRY).iter_errors(document)] + extension_problems(document)


def extension_problems(document: Mapping[str, Any]) -> list[str]:
    """What is wrong with the extension fields of an item or a collection, and with what it declares."""
    declared, used, found = set(document.get("stac_extensions", [])), set(), list[str]()
    known = {name: (uri, schema) for uri, fields in FIELDS.items() for name, schema in fields.items()}
    for name, value in _fields(document):
        if name not in known:
            found.append(f"{name} is no field that is known")
            continue
        uri, schema = known[name]
        used.add(uri)
        found += [f"{name}: {error.message}" for error in Draft7Validator(schema).iter_errors(value)]
    found += [f"{uri} is used and not declared" for uri in used - declared]
    return found + [f"{uri} is declared and not used" for uri in declared - used]


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """The extension fields of a document, wherever they stand."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "renders" or (":" in name and not name.startswith(_OURS)):
                yield name, inner
            else:
                yield from _fields(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(inner)
