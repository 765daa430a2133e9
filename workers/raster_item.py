"""A COG as a STAC item: projection, bands with statistics, size and checksum, lineage."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pystac
import shapely
from pyproj import Geod

from codegen.messages.raster_report import Band, Class, CogReport, Kind, Nodata, Sidecar
from codegen.messages.request import RequestIdentity
from workers import raster_render, stac
from workers.footprint import Footprint
from workers.mosaic import WEB_MAP, Covering

ASSET = "data"
BESIDE = "attributes"

_OF_EVERY_ITEM = ("name", "description", "data_type", "nodata", "unit", "raster:scale", "raster:offset", "classification:classes")

_EARTH = Geod(ellps="WGS84")

_WORD_OF_KIND: dict[Kind, str] = {
    "rgb": "Colour image",
    "rgba": "Colour image with transparency",
    "multispectral": "Multispectral image",
    "continuous": "Continuous values",
    "dem": "Elevation",
    "vegetation_index": "Vegetation or water index",
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
        assets={ASSET: _asset(cog)} | ({} if cog.beside is None else {BESIDE: _beside(cog.beside)}),
        properties={
            **projection,
            "proj:shape": [grid.height, grid.width],
            "proj:transform": grid.transform,
            "proj:bbox": grid.bounds,
            "renders": {raster_render.DEFAULT: raster_render.of(cog)},
            "processing:lineage": _lineage(cog),
            "geomill:kind": cog.profile.kind,
            "geomill:source_file": cog.source.name,
            "geomill:source_checksum": cog.source.checksum,
        },
        extensions=(stac.PROJECTION, stac.FILE, stac.RASTER, stac.RENDER, *([stac.CLASSIFICATION] if cog.classes else [])),
    )


def item_assets(items: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What the assets of a collection's items have in common; without items, what is true of every COG."""
    common: dict[str, Any] = {"type": str(pystac.MediaType.COG), "roles": ["data"]}
    assets = [item["assets"][ASSET] for item in items]
    for key in ("title", "raster:spatial_resolution"):
        if len({asset.get(key) for asset in assets}) == 1 and assets[0].get(key) is not None:
            common[key] = assets[0][key]
    alike = [[{key: band[key] for key in _OF_EVERY_ITEM if key in band} for band in asset["bands"]] for asset in assets]
    if alike and all(bands == alike[0] for bands in alike):
        common["bands"] = alike[0]
    return {ASSET: common}


def collection_extensions(items: Sequence[Mapping[str, Any]], *, rendered: bool) -> list[str]:
    """The extensions that a collection of these items uses in its `item_assets` and renders."""
    told = item_assets(items)[ASSET]
    keys = {key for band in told.get("bands", []) for key in band} | set(told)
    return [
        *([stac.RENDER] if rendered else []),
        *([stac.RASTER] if any(key.startswith("raster:") for key in keys) else []),
        *([stac.CLASSIFICATION] if "classification:classes" in keys else []),
    ]


def href(item: Mapping[str, Any]) -> str:
    """Where an item's COG is."""
    return str(item["assets"][ASSET]["href"])


def covering(item: Mapping[str, Any]) -> Covering:
    """An item as a member of a mosaic."""
    renders = item["properties"].get("renders")
    minzoom, maxzoom = renders[raster_render.DEFAULT]["minmax_zoom"] if renders else _zooms(item)
    return Covering(href(item), item["bbox"], minzoom, maxzoom)


def _zooms(item: Mapping[str, Any]) -> tuple[int, int]:
    """The zooms of an item that was published before it said them."""
    _, south, _, north = item["bbox"]
    across = max(item["properties"]["proj:shape"])
    pixel = item["assets"][ASSET]["raster:spatial_resolution"] / math.cos(math.radians((south + north) / 2))
    maxzoom = int(WEB_MAP.zoom_for_res(pixel))
    return max(0, maxzoom - math.ceil(math.log2(max(1.0, across / 256)))), maxzoom


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


def _beside(sidecar: Sidecar) -> pystac.Asset:
    return pystac.Asset(
        href=sidecar.href,
        title="What a GeoTIFF cannot hold of its classes and attributes",
        media_type=pystac.MediaType.XML,
        roles=["metadata"],
        extra_fields={"file:size": sidecar.size, "file:checksum": sidecar.checksum},
    )


def _lineage(cog: CogReport) -> str:
    """How the COG came about, in a sentence."""
    profile = cog.profile
    changed = "pixels as they were"
    if not profile.lossless:
        changed = "pixels changed" if cog.largest_error is None else f"pixels changed by up to {cog.largest_error:g}"
    moved = f"reprojected to {profile.target_crs} ({profile.warp_resampling})" if profile.target_crs else changed
    return f"{cog.source.driver} {cog.source.name}, checked and converted to a Cloud Optimized GeoTIFF ({profile.compression}): {moved}"


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
    if cog.classes and band is cog.bands[0]:
        told["classification:classes"] = [_class(one, cog.nodata) for one in cog.classes]
    return told


def _class(one: Class, nodata: Nodata | None) -> dict[str, Any]:
    told: dict[str, Any] = {"value": one.value, "name": stac.name(one.name).replace(".", "_"), "title": one.name}
    if one.color is not None:
        told["color_hint"] = one.color
    if one.value == nodata:
        told["nodata"] = True
    return told
