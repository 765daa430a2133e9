"""raster_validate and raster_convert: whether a raster can become a COG, and the COG."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from codegen.messages.raster import ProcessRasterParameters, ValidateRasterParameters
from codegen.messages.raster_report import CogReport, RasterReport, Sidecar
from codegen.messages.request import RasterOptions, RequestIdentity
from workers import artefacts, cog, raster_profile, raster_report, raster_source, stac
from workers.context import Completed, Task
from workers.raster_source import Raster
from workers.registry import handles

Cog = TypeVar("Cog", bound=CogReport)


@handles("raster_validate_v2", ValidateRasterParameters)
@handles("raster_validate", ValidateRasterParameters)  # of a job that was submitted to the version before
def validate(task: Task[ValidateRasterParameters]) -> Completed:
    """Read the raster as a whole; report, or refuse. Where an equal request has been published, its report and COG will do."""
    wanted = task.parameters
    with (
        task.storage.open_source(wanted.source_path, wanted.source_roots, check=task.check) as source,
        raster_source.opened(raster_source.find(source, wanted.source_path), source.name) as raster,
    ):
        before = raster.state()
        fingerprint, checksum = raster_report.fingerprint(raster, task.check)
        if reused := _reuse(task, fingerprint, raster.name):
            return reused
        report = raster_report.examine(raster, wanted, wanted.source_crs, task.check, checksum=checksum)
        if raster.state() != before:
            raise raster_source.changed(raster.name)
    task.log.info("raster examined", kind=report.kind, width=report.grid.width, height=report.grid.height, bands=len(report.bands))
    with task.effects() as effects:
        artefacts.use(effects.connection, task, fingerprint, raster_report.software())
        return effects.complete(_validated(report))


def _validated(report: RasterReport) -> dict[str, Any]:
    return {"validation": report.model_dump(), "warnings": [warning.model_dump() for warning in report.warnings]}


def _reuse(task: Task[ValidateRasterParameters], fingerprint: str, name: str) -> Completed | None:
    """Complete with what an equal request's jobs reported, if there is one and its COG is there and whole."""
    for request_id, result in artefacts.equal_requests(task, fingerprint, raster_report.software()):
        found = found_again(task, CogReport.model_validate(result["cog"]), name, request_id)
        if found is None:
            continue
        report = RasterReport.model_validate(result["validation"]).model_copy(update={"source": found.source})
        with task.effects() as effects:
            if artefacts.use(effects.connection, task, fingerprint, raster_report.software(), request_id):
                task.log.info("an equal request's COG will do", reused_from=request_id, key=found.key)
                return effects.complete({**_validated(report), "reused_from": request_id, "cog": found.model_dump()})
    return None


def found_again(task: Task[Any], found: Cog, name: str, request_id: str) -> Cog | None:
    """The report of an equal request's COG, made of a file of this name; None where the COG is not what it was."""
    attributes = f"{found.key}.aux.xml"
    files = [(found.key, found.checksum), *([(attributes, found.beside.checksum)] if found.beside else [])]
    if not all(artefacts.is_whole(task, key, checksum) for key, checksum in files):
        task.log.warning("an equal request's COG is not what it was", reused_from=request_id, key=found.key)
        return None
    beside = found.beside and found.beside.model_copy(update={"href": task.storage.href(attributes)})
    named = found.source.model_copy(update={"name": name})
    return found.model_copy(update={"source": named, "href": task.storage.href(found.key), "beside": beside})


@handles("raster_convert_v2", ProcessRasterParameters)
@handles("raster_convert", ProcessRasterParameters)  # of a job that was submitted to the version before
def convert(task: Task[ProcessRasterParameters]) -> dict[str, Any]:
    """Make the COG of a validated raster and publish it."""
    wanted = task.parameters
    report = RasterReport.model_validate(wanted.validation)
    with (
        task.storage.open_source(wanted.source_path, wanted.source_roots, check=task.check) as source,
        raster_source.opened(raster_source.find(source, wanted.source_path), source.name) as raster,
    ):
        if stac.checksum(raster.path, task.check) != report.source.checksum:
            raise raster_source.changed(raster.name)
        return make(task, raster, report, wanted, stac.name(wanted.stac_item_id)).model_dump()


def key_of(identity: RequestIdentity, name: str) -> str:
    """The key of an artefact of a request's revision."""
    return f"{identity.client_id}/{identity.request_id}/r{identity.revision}/{name}"


def make(task: Task[Any], raster: Raster, report: RasterReport, options: RasterOptions, stem: str, item_id: str | None = None) -> CogReport:
    """Make a COG under the attempt's name, prove it, publish it by a rename. A failure leaves nothing."""
    key = key_of(task.parameters, f"{stem}.tif")
    profile = raster_profile.choose(report, options)
    claimed = task.claimed
    attempt = task.storage.attempt_path(key, claimed.task_id, claimed.attempt)
    with _removed_on_failure(attempt):
        cog.write(raster, report, options, profile, attempt)
        task.check()
        made = cog.verify(raster, report, options, profile, attempt, task.check)
        size, checksum = attempt.stat().st_size, stac.checksum(attempt, task.check)
        task.check()
        # What a GeoTIFF cannot hold itself (attribute tables) lies beside it; the COG is there last.
        beside = attempt.with_name(f"{attempt.name}.aux.xml")
        sidecar = None
        if beside.exists():
            beside_size, beside_checksum = beside.stat().st_size, stac.checksum(beside, task.check)
            sidecar = Sidecar(href=task.storage.publish(beside, f"{key}.aux.xml"), size=beside_size, checksum=beside_checksum)
        href = task.storage.publish(attempt, key)
    task.log.info("COG published", key=key, size=size, compression=profile.compression, kind=profile.kind)
    return CogReport(
        key=key,
        href=href,
        size=size,
        checksum=checksum,
        beside=sidecar,
        grid=made.grid,
        bands=made.bands,
        nodata=raster_report.told_nodata(made.nodata),
        overviews=made.overviews,
        largest_error=made.largest_error,
        mean_error=made.mean_error,
        classes=made.classes,
        profile=profile,
        source=report.source,
        datetime=report.datetime,
        bbox=made.footprint.bbox,
        geometry=made.footprint.geometry,
        minzoom=made.minzoom,
        maxzoom=made.maxzoom,
        warnings=report.warnings,
        item_id=item_id,
    )


@contextmanager
def _removed_on_failure(attempt: Path) -> Iterator[None]:
    """Remove the attempt's file and what GDAL made beside it, should the block fail; a cancellation is a failure here."""
    try:
        yield
    except BaseException:
        for leftover in attempt.parent.glob(f"{attempt.name}*"):
            leftover.unlink(missing_ok=True)
        raise
