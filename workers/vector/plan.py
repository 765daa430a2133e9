"""What inspect decides: the type of the geometry column, the parts to load, how many rows to hold at a time."""

from __future__ import annotations

import math

from codegen.messages.vector import Chunk
from workers.errors import TaskError
from workers.geo_table import column_geometry
from workers.vector import bounds, ogr
from workers.vector.formats import Format
from workers.vector.layer import Layer
from workers.vector.source import Dataset
from workers.vector.wkb import Kinds

MOST_BATCH_ROWS = 20_000
MOST_CHUNKS = 10_000
ARCHIVE_CHUNKS = 4
"""Each task extracts the archive for itself, so it is worth a few of them only."""


def geometry_type(kinds: Kinds, requested: str | None, *, keep_z: bool) -> str:
    """The type of the geometry column: as asked, else the multi type of what the layer holds, else GEOMETRY."""
    has_z = keep_z and kinds.has_z
    found = column_geometry(kinds.types, has_z=has_z)
    if requested is None:
        return found
    plain = found.removesuffix("Z")
    if requested != "GEOMETRY" and plain != "GEOMETRY" and requested.removeprefix("MULTI") != plain.removeprefix("MULTI"):
        raise TaskError(
            "GEOMETRY_TYPE_CONFLICT", f"The layer holds {plain}, geometry_type says {requested}", category="user", field="geometry_type",
            value=requested, remediation=f"Use {plain}, or leave geometry_type out",
        )  # fmt: skip
    return requested + ("Z" if has_z else "")


def chunks(dataset: Dataset, layer: Layer, rows: int) -> list[Chunk]:
    """Parts of about `rows` features, where a part can be read without reading what is before it; else one part."""
    total = layer.features or 0
    size = max(rows, math.ceil(total / (MOST_CHUNKS if dataset.member is None else ARCHIVE_CHUNKS)))
    if total <= size:
        return [Chunk()]
    if layer.places:
        return _at_places(layer, size)
    if dataset.format is Format.SHAPEFILE:
        bounds = list(range(size, layer.records, size))
    elif dataset.format is Format.GEOPACKAGE and layer.fid_column:
        bounds = ogr.feature_ids(dataset, layer, size)
    else:
        return [Chunk()]
    return [Chunk(start=start, end=end) for start, end in zip([None, *bounds], [*bounds, None], strict=True)]


def _at_places(layer: Layer, size: int) -> list[Chunk]:
    """Parts of at least `size` features that begin where inspection noted where it was in the file."""
    parts, start, offset = [], 0, None
    for place in layer.places:
        if place.features - start >= size and place.features < (layer.features or 0):
            parts.append(Chunk(start=start, end=place.features, offset=offset))
            start, offset = place.features, place.offset
    return [*parts, Chunk(start=start, end=None, offset=offset)] if parts else [Chunk()]


def batch_rows(dataset: Dataset, layer: Layer) -> int:
    """How many rows make about 16 MB, going by the average: memory is bounded by bytes."""
    average = max(1, max(dataset.size, dataset.path.stat().st_size) // max(1, layer.features or 1))
    return max(1, min(MOST_BATCH_ROWS, bounds.BATCH_BYTES // average))
