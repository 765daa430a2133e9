"""STAC 1.1 items and collections, the same way for tables and rasters.

Everything that geomill publishes says where it came from (dataset, resource, version, request, job, revision), which
software made it, and whether its time was given, read from the file, or is that of the ingest. No item carries a
credential, or a path of the machine: an href is what the storage is known by to its readers.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pystac
from pystac.item_assets import ItemAssetDefinition

from codegen.messages.request import RequestIdentity
from workers.footprint import Footprint
from workers.identity import software_version

PROCESSING = "https://stac-extensions.github.io/processing/v1.2.0/schema.json"
PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
RASTER = "https://stac-extensions.github.io/raster/v2.0.0/schema.json"
RENDER = "https://stac-extensions.github.io/render/v2.0.0/schema.json"
CLASSIFICATION = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"
FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
TABLE = "https://stac-extensions.github.io/table/v1.2.0/schema.json"

DEFAULT_LICENSE = "other"
WORLD = Footprint({"type": "Polygon", "coordinates": []}, [-180.0, -90.0, 180.0, 90.0])

_ALL_TIME: list[list[datetime | None]] = [[None, None]]
_LONGEST_NAME = 120
_MULTIHASH_SHA256 = "1220"
_DIGEST_CHUNK = 4 * 1024**2


@dataclass(frozen=True)
class When:
    """The time that an item is of, and who said so."""

    value: datetime
    source: Literal["request", "file", "ingest"]


@dataclass(frozen=True)
class Words:
    """What the request says of its result for people."""

    title: str | None = None
    description: str | None = None
    license: str | None = None
    keywords: Sequence[str] = ()


def when(requested: str | None, in_file: datetime | None = None) -> When:
    """The time that was asked for, else the file's own, else now."""
    if requested is not None:
        return When(_utc(datetime.fromisoformat(requested)), "request")
    if in_file is not None:
        return When(_utc(in_file), "file")
    return When(datetime.now(UTC).replace(microsecond=0), "ingest")


def item(
    identity: RequestIdentity,
    *,
    job_id: str,
    collection: str,
    footprint: Footprint,
    time: When,
    assets: Mapping[str, pystac.Asset],
    item_id: str | None = None,
    words: Words | None = None,
    properties: Mapping[str, Any] | None = None,
    extensions: Iterable[str] = (),
) -> dict[str, Any]:
    """A STAC item as JSON. The id is the request's own unless another is given; `properties` win over nothing of ours."""
    said = words or Words()
    told = {
        **(properties or {}),
        **_lineage(identity, job_id),
        "geomill:datetime_source": time.source,
        "created": _text(datetime.now(UTC)),
        **{
            key: value
            for key, value in (
                ("title", said.title),
                ("description", said.description),
                ("license", said.license),
                ("keywords", list(said.keywords)),
            )
            if value
        },
    }
    built = pystac.Item(
        id=item_id or identity.stac_item_id,
        geometry=footprint.geometry,
        bbox=list(footprint.bbox),
        datetime=time.value,
        properties=told,
        stac_extensions=sorted({PROCESSING, *extensions}),
        collection=collection,
        assets=dict(assets),
    )
    built.add_link(pystac.Link(rel=pystac.RelType.COLLECTION, target=collection_path(collection), media_type=pystac.MediaType.JSON))
    return dict(built.to_dict(include_self_link=False, transform_hrefs=False))


def collection(
    collection_id: str,
    *,
    description: str,
    items: Sequence[Mapping[str, Any]] = (),
    title: str | None = None,
    license: str | None = None,  # noqa: A002 (STAC's word)
    keywords: Sequence[str] = (),
    item_assets: Mapping[str, Mapping[str, Any]] | None = None,
    extra: Mapping[str, Any] | None = None,
    extensions: Iterable[str] = (),
) -> dict[str, Any]:
    """A STAC collection as JSON, with the extent of the given items; without any, the world and all time.

    The catalogue keeps the extent true as items come and go.
    """
    built = pystac.Collection(
        id=collection_id,
        description=description,
        extent=_extent(items),
        title=title,
        license=license or DEFAULT_LICENSE,
        keywords=list(keywords) or None,
        stac_extensions=sorted(set(extensions)),
        extra_fields=dict(extra or {}),
    )
    if item_assets:
        built.item_assets = {key: ItemAssetDefinition(dict(value)) for key, value in item_assets.items()}
    told = dict(built.to_dict(include_self_link=False, transform_hrefs=False))
    told["links"] = [link for link in told["links"] if link["rel"] not in ("root", "parent")]
    return told


def layer_item(identity: RequestIdentity, suffix: str | None) -> str:
    """The id of the item of a request's table; with a suffix where it has several."""
    return identity.stac_item_id if suffix is None else f"{identity.stac_item_id}_{suffix}"


def request_properties(identity: RequestIdentity, job_id: str) -> dict[str, Any]:
    """The lineage that a collection of a request's own carries."""
    return {key: value for key, value in _lineage(identity, job_id).items() if not key.startswith("processing:")}


def checksum(path: Path, check: Callable[[], None]) -> str:
    """The SHA-256 of a file as a multihash, as the file extension wants it. `check` is called now and then, and may raise."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_DIGEST_CHUNK):
            digest.update(chunk)
            check()
    return _MULTIHASH_SHA256 + digest.hexdigest()


def collection_path(collection_id: str) -> str:
    """A collection, as `endpoints` and links name it."""
    return f"/collections/{collection_id}"


def search_path(collection_id: str) -> str:
    """The search for a collection's items, as `endpoints` names it."""
    return f"/search?collections={collection_id}"


def item_path(collection_id: str, item_id: str) -> str:
    """An item, as `endpoints` names it."""
    return f"/collections/{collection_id}/items/{item_id}"


def names(texts: Mapping[str, str], longest: int = _LONGEST_NAME) -> dict[str, str]:
    """A distinct name for each key, made from its text: ASCII letters, digits, dot, dash and underscore.

    Names that would be the same (compared without case) are told apart by a digest of the key, so that they do not depend
    on the order of the keys.
    """
    plain = {key: name(text, longest - 9) for key, text in texts.items()}
    times = Counter(one.lower() for one in plain.values())
    return {key: one if times[one.lower()] == 1 else f"{one}-{_digest(key)}" for key, one in plain.items()}


def name(text: str, longest: int = _LONGEST_NAME) -> str:
    """A name for a text, fit for ids, files and URLs; what is shortened or has nothing to keep ends in a digest."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    fit = re.sub(r"[^A-Za-z0-9._-]+", "_", ascii_text).strip("._-")
    if not fit:
        return _digest(text)
    return fit if len(fit) <= longest else f"{fit[: longest - 9]}-{_digest(text)}"


def _lineage(identity: RequestIdentity, job_id: str) -> dict[str, Any]:
    return {
        "ddh:dataset_id": identity.dataset_id,
        "ddh:resource_id": identity.resource_id,
        "ddh:version_id": identity.version_id,
        "geomill:request_id": identity.request_id,
        "geomill:job_id": job_id,
        "geomill:revision": identity.revision,
        "processing:software": {"geomill": software_version()},
    }


def _extent(items: Sequence[Mapping[str, Any]]) -> pystac.Extent:
    if not items:
        return pystac.Extent(pystac.SpatialExtent([list(WORLD.bbox)]), pystac.TemporalExtent(_ALL_TIME))
    times = [_utc(datetime.fromisoformat(one["properties"][key])) for one in items for key in _time_keys(one)]
    return pystac.Extent(pystac.SpatialExtent([union([one["bbox"] for one in items])]), pystac.TemporalExtent([[min(times), max(times)]]))


def _time_keys(one: Mapping[str, Any]) -> tuple[str, ...]:
    return ("datetime",) if one["properties"].get("datetime") else ("start_datetime", "end_datetime")


def union(boxes: Sequence[Sequence[float]]) -> list[float]:
    """The box around boxes. Where one crosses the antimeridian (west > east), so does the union, if that is narrower."""
    south, north = min(box[1] for box in boxes), max(box[3] for box in boxes)
    crossing = [box for box in boxes if box[0] > box[2]]
    others = [box for box in boxes if box[0] <= box[2]]
    if not crossing:
        return [min(box[0] for box in boxes), south, max(box[2] for box in boxes), north]
    if any(box[0] < 0 < box[2] for box in others):
        return [-180.0, south, 180.0, north]
    # On longitudes from 0 to 360 each of them is in one piece.
    turned = [(box[0], box[2] + 360) for box in crossing] + [
        (box[0] + 360, box[2] + 360) if box[0] < 0 else (box[0], box[2]) for box in others
    ]
    west, east = min(one[0] for one in turned), max(one[1] for one in turned)
    if east - west >= 360:
        return [-180.0, south, 180.0, north]
    return [west - 360 if west > 180 else west, south, east - 360 if east > 180 else east, north]


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _text(time: datetime) -> str:
    return time.replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
