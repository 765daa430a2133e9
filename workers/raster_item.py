"""A COG as a STAC item: projection, bands with statistics, size and checksum, lineage."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pystac
import shapely
from pyproj import Geod

from codegen.messages.raster_report import Band, CogReport, Kind
from codegen.messages.request import RequestIdentity
from workers import stac
from workers.footprint import Footprint

ASSET = "data"

_EARTH = Geod(ellps="WGS84")

_WORD_OF_KIND: dict[Kind, str] = {
    "rgb": "Colour image",
    "rgba": "Colour image with transparency",
    "multispectral": "Multispectral image",
    "continuous": "Continuous values",
    "dem": "Elevation",
    "categorical": "Classes",
    "mask": "Mask",
}


def item(identity: RequestIdentity, *, job_id: str, collection: str, cog: CogReport, time: str | None, words: stac.Words) -> dict[str, Any]:
    """The STAC item of a COG."""
    grid = cog.grid
    projection: dict[str, Any] = {"proj:code": grid.crs}
    if grid.crs is None:
        projection["proj:wkt2"] = grid.crs_wkt
    return stac.item(
        identity,
        job_id=job_id,
        collection=collection,
        item_id=cog.item_id,
        footprint=Footprint(cog.geometry, cog.bbox),
        time=stac.when(time, None if cog.datetime is None else datetime.fromisoformat(cog.datetime)),
        words=words,
        assets={ASSET: _asset(cog)},
        properties={
            **projection,
            "proj:shape": [grid.height, grid.width],
            "proj:transform": grid.transform,
            "proj:bbox": grid.bounds,
            "geomill:kind": cog.profile.kind,
            "geomill:source_checksum": cog.source.checksum,
        },
        extensions=(stac.PROJECTION, stac.FILE, stac.RASTER),
    )


def item_assets(cogs: Sequence[CogReport]) -> dict[str, dict[str, Any]]:
    """What the items of a collection have in common."""
    definition: dict[str, Any] = {"type": str(pystac.MediaType.COG), "roles": ["data"]}
    kinds = {cog.profile.kind for cog in cogs}
    if len(kinds) == 1:
        definition["title"] = _WORD_OF_KIND[kinds.pop()]
    return {ASSET: definition}


def together(warnings: Iterable[tuple[str, Mapping[str, Any]]], total: int) -> list[dict[str, Any]]:
    """Warnings of many members, one of each code, saying how many and which."""
    found: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for name, warning in warnings:
        found.setdefault(warning["code"], (dict(warning), []))[1].append(name)
    return [
        {**first, "message": f"{len(names)} of {total} members ({_listed(names)}): {first['message']}"} for first, names in found.values()
    ]


def _listed(names: Sequence[str], most: int = 5) -> str:
    distinct = list(dict.fromkeys(names))
    return ", ".join(distinct[:most]) + (f" and {len(distinct) - most} more" if len(distinct) > most else "")


def _asset(cog: CogReport) -> pystac.Asset:
    return pystac.Asset(
        href=cog.href,
        title=_WORD_OF_KIND[cog.profile.kind],
        media_type=pystac.MediaType.COG,
        roles=["data"],
        extra_fields={
            "file:size": cog.size,
            "file:checksum": cog.checksum,
            "raster:spatial_resolution": _resolution(cog),
            "bands": [_band(band, cog) for band in cog.bands],
        },
    )


def _resolution(cog: CogReport) -> float:
    """The side of an average pixel in metres, in whatever CRS it is."""
    area, _ = _EARTH.geometry_area_perimeter(shapely.geometry.shape(cog.geometry))
    return float(f"{math.sqrt(abs(area) / (cog.grid.width * cog.grid.height)):.4g}")


def _band(band: Band, cog: CogReport) -> dict[str, Any]:
    told: dict[str, Any] = {"name": band.name, "data_type": band.data_type}
    if cog.nodata is not None:
        told["nodata"] = cog.nodata
    if band.unit:
        told["unit"] = band.unit
    statistics = {key: getattr(band, key) for key in ("minimum", "maximum", "mean", "stddev") if getattr(band, key) is not None}
    told["statistics"] = {**statistics, "valid_percent": band.valid_percent}
    if (band.scale, band.offset) != (1.0, 0.0):
        told |= {"raster:scale": band.scale, "raster:offset": band.offset}
    return told
