"""The members of a collection before they are converted: which they are, what they are called, whether they agree.

Only headers are read here, and a few pixels of a few members where the kind depends on them: the kind is decided for all
members together, so that one tile of open water does not become a mask among elevation models.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from pyproj.exceptions import CRSError
from rasterio.errors import RasterioError

from codegen.messages.raster import ProcessCollectionParameters
from codegen.messages.raster_report import Kind, Warned
from workers import raster_crs, raster_item, raster_kind, raster_source
from workers.errors import TaskError
from workers.raster_kind import Guess, Values
from workers.raster_report import Check
from workers.storage import Storage

_SAMPLES = 16
_SAMPLE_SIDE = 256
_NAMED = 10


@dataclass(frozen=True)
class Likeness:
    """What members agree in or not."""

    bands: int
    type: str
    crs: str
    resolution: str
    kind: str | None
    """As the header says it; None where only the pixels would, which differ from tile to tile."""


@dataclass(frozen=True)
class Header:
    """What a member's header says; a CRS that the file lacks is the one that the request gives."""

    source_path: str
    bands: int
    data_type: str
    crs: str
    resolution: str
    shown: Kind | None
    guess: Guess | None

    @property
    def likeness(self) -> Likeness:
        """What is compared."""
        return Likeness(self.bands, self.data_type, self.crs, self.resolution, self.shown)


@dataclass(frozen=True)
class Unreadable:
    """A member that does not open, and why."""

    source_path: str
    error: TaskError


def listed(storage: Storage, wanted: ProcessCollectionParameters) -> tuple[list[str], list[Warned]]:
    """The members' paths in name order, as given or as found below the prefix, and what was passed over there."""
    paths = storage.list_sources(wanted.source_path, wanted.source_roots)
    warned: list[Warned] = []
    if wanted.source_path.endswith("/"):
        rasters = [path for path in paths if PurePosixPath(path).suffix.lower() in raster_source.EXTENSIONS]
        others = [PurePosixPath(path).name for path in paths if path not in set(rasters) and not _is_sidecar(path)]
        if others:
            warned.append(
                Warned(
                    code="FILES_PASSED_OVER",
                    message=f"{len(others)} files below the prefix are no rasters by their names: {_names(others)}",
                )
            )
        paths = rasters
    distinct = sorted(dict.fromkeys(paths))
    if len(distinct) < len(paths):
        again = [PurePosixPath(path).name for path, times in Counter(paths).items() if times > 1]
        warned.append(Warned(code="MEMBERS_REPEATED", message=f"named more than once, taken once: {_names(again)}"))
    if not distinct:
        raise TaskError(
            "COLLECTION_EMPTY",
            f"there is no raster below {wanted.source_path}",
            category="user",
            field="source_path",
            value=wanted.source_path,
            remediation=f"Rasters are known by their extension: {', '.join(raster_source.EXTENSIONS)}",
        )
    return distinct, warned


def headers(storage: Storage, wanted: ProcessCollectionParameters, paths: Sequence[str], check: Check) -> Iterator[Header | Unreadable]:
    """Open each member and read its header; the pixels of a few of them, spread evenly, where those decide on the kind."""
    samples = {paths[index] for index in np.linspace(0, len(paths) - 1, min(_SAMPLES, len(paths))).astype(int)}
    for source_path in paths:
        check()
        try:
            yield _header(storage, wanted, source_path, check, sample=source_path in samples)
        except TaskError as error:
            yield Unreadable(source_path, error)


def likeness_of(item: Mapping[str, Any]) -> Likeness:
    """What must agree, of a member that was published before: the COG's own bands, without an alpha band that was added."""
    bands = item["assets"][raster_item.ASSET]["bands"]
    own = [band for band in bands if band["name"] != "alpha"] or bands
    properties = item["properties"]
    crs = properties.get("proj:code") or properties.get("proj:wkt2", "unknown")
    return Likeness(len(own), own[0]["data_type"], crs, _resolution(properties["proj:transform"]), None)


def disagreements(found: Sequence[Header], *, reprojected: bool, kept: Sequence[Likeness] = ()) -> list[str]:
    """How members differ from the most of them, in a sentence each; empty where they agree.

    `kept` are those that were published before and stay: among them and the new ones it is counted what is usual.
    """
    compared = {"bands": "bands", "type": "type", "kind": "kind"} | ({} if reprojected else {"crs": "CRS", "resolution": "resolution"})
    among = [*(one.likeness for one in found), *kept]
    usual = {key: _most([getattr(one, key) for one in among]) for key in compared}
    said = []
    for one in found:
        differs = [
            f"{word} {value} instead of {usual[key]}"
            for key, word in compared.items()
            if (value := getattr(one.likeness, key)) is not None and usual[key] not in (None, value)
        ]
        if differs:
            said.append(f"{PurePosixPath(one.source_path).name}: {', '.join(differs)}")
    return said


def _most(values: Sequence[Any]) -> Any:
    """The value that most have, None where none has one."""
    there = Counter(value for value in values if value is not None)
    return there.most_common(1)[0][0] if there else None


def decided_kind(found: Sequence[Header]) -> Guess | None:
    """The one kind of all members; None where they show different things, so that each decides for itself."""
    guesses = [one.guess for one in found if one.guess is not None]
    votes = Counter(guess.kind for guess in guesses)
    if not votes:
        return None
    if len(votes) > 1:
        if not set(votes) <= {"continuous", "dem", "vegetation_index", "categorical", "mask"}:
            return None
        # A member with few values may be part of something continuous; one with many is never part of classes.
        measured: tuple[Kind, ...] = ("continuous", "dem", "vegetation_index")
        order: tuple[Kind, ...] = (*sorted(measured, key=lambda kind: -votes[kind]), "categorical", "mask")
        kind = next(kind for kind in order if votes[kind])
        reason = next(guess.reason for guess in guesses if guess.kind == kind)
        return Guess(kind, f"of {len(guesses)} members looked at, {votes[kind]} say: {reason}")
    return guesses[0]


def _header(storage: Storage, wanted: ProcessCollectionParameters, source_path: str, check: Check, *, sample: bool) -> Header:
    with storage.open_source(source_path, wanted.source_roots, check=check) as source:
        path = raster_source.find(source, source_path)
        with raster_source.opened(path, source.name) as raster:
            dataset = raster.dataset
            guess = from_header = raster_kind.from_header(dataset)
            if guess is None and sample:
                guess = _sampled(dataset, source.name)
            return Header(
                source_path,
                bands=dataset.count,
                data_type=dataset.dtypes[0],
                crs=_crs(dataset, wanted.source_crs),
                resolution=_resolution(dataset.transform),
                shown=None if from_header is None else from_header.kind,
                guess=guess,
            )


def _resolution(transform: Sequence[float]) -> str:
    """The size of a pixel in units of the CRS, as far as it matters: tiles of one series are not cut to the last digit."""
    return f"{abs(transform[0]):.3g} x {abs(transform[4]):.3g}"


def _sampled(dataset: Any, name: str) -> Guess | None:
    """The kind by a reduced view of the pixels; None where they do not read, which the conversion will say better."""
    shape = (min(dataset.height, _SAMPLE_SIDE), min(dataset.width, _SAMPLE_SIDE))
    try:
        seen = dataset.read(1, out_shape=shape, masked=True).compressed()
    except RasterioError:
        return None
    seen = seen[np.isfinite(seen)] if seen.dtype.kind == "f" else seen
    if seen.size == 0:
        return None
    distinct = np.unique(seen).astype(np.int64) if seen.dtype.kind in "iu" and seen.dtype.itemsize <= 2 else None
    return raster_kind.from_values(
        dataset, Values(float(seen.min()), float(seen.max()), seen.size, distinct), raster_kind.names_of(dataset, name)
    )


def _crs(dataset: Any, requested: str | None) -> str:
    if not dataset.crs:
        return requested or "none"
    try:
        crs = raster_crs.of(dataset)
    except (CRSError, RasterioError):
        return "unknown"
    return raster_crs.code(crs) or crs.to_wkt()


def _is_sidecar(path: str) -> bool:
    name = PurePosixPath(path).name.lower()
    return name.endswith((".aux.xml", ".ovr", ".msk", ".tfw", ".tifw", ".jgw", ".pgw", ".wld", ".j2w", ".prj", ".aux"))


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
