"""What the client is told of an ingest: counts added up, and a warning for each thing that is not as it was in the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from codegen.messages.vector import ChunkReport, SourceReport
from workers.vector import families
from workers.vector.alterations import BROKEN_CHARACTER, IMPOSSIBLE_VALUE, NUL_REMOVED, READ_AS_LATIN1, ZONE_MISSING, merged
from workers.vector.layer import Layer

Warning_ = dict[str, Any]

_ALTERED = {
    NUL_REMOVED: ("NUL_REMOVED", "NUL characters were removed, which PostgreSQL has no place for"),
    BROKEN_CHARACTER: ("CHARACTERS_REPLACED", "Halves of characters became question marks"),
    READ_AS_LATIN1: ("ENCODING_WRONG", "Text that is not in the file's encoding was read as ISO-8859-1"),
    IMPOSSIBLE_VALUE: ("IMPOSSIBLE_VALUES", "Dates and times that do not exist became NULL"),
    ZONE_MISSING: ("TIME_ZONE_ASSUMED", "Times without a time zone were read as UTC"),
}


def warning(code: str, message: str, remediation: str | None = None) -> Warning_:
    """One warning, in the shape that requests have them."""
    return {"code": code, "message": message, "remediation": remediation}


def of_layer(layer: Layer, source: SourceReport, geometry_type: str, source_crs: str | None, *, split: bool) -> list[Warning_]:
    """What inspect had to decide where the file is silent, or left out."""
    said = []
    if layer.others:
        names = ", ".join(layer.others[:20])
        said.append(warning("LAYERS_LEFT_OUT", f"Layers without geometry were left out: {names}"))
    if layer.encoding is not None:
        said.append(warning("ENCODING_ASSUMED", f"The file does not say its encoding; {layer.encoding} was assumed", "Add a .cpg file"))
    if layer.crs_is_default and source_crs is not None and source.crs != "EPSG:4326":
        said.append(warning("CRS_ASSUMED", f"The GeoJSON names no CRS; {source.crs} was taken as source_crs says, not EPSG:4326"))
    if layer.kinds.has_z and not geometry_type.endswith("Z"):
        said.append(warning("Z_DROPPED", "Z coordinates were dropped", "Set processing_config.keep_z to keep them"))
    if split and (others := families.beyond(layer.kinds)):
        said.append(
            warning(
                "GEOMETRY_TYPES_BEYOND",
                f"The layer has {', '.join(others)} beside what it is split into: one whose parts are all of one kind is among those,"
                " another is rejected",
                "Leave geometry_type out for one table of all",
            )
        )
    if geometry_type.startswith("GEOMETRY"):
        said.append(warning("GEOMETRY_TYPES_MIXED", f"The table holds geometries of any type; the layer has {_listed(layer.kinds.types)}"))
    return said


def of_rows(total: ChunkReport) -> list[Warning_]:
    """What load did to rows."""
    said = []
    if total.rejected:
        reasons = ", ".join(f"{code} {count}" for code, count in sorted(total.reasons.items()))
        said.append(
            warning(
                "ROWS_REJECTED",
                f"{total.rejected} of {total.read} features were rejected: {reasons}",
                "Read them with platform.get_rejects",
            )
        )
    if total.repaired:
        said.append(warning("GEOMETRIES_REPAIRED", f"{total.repaired} invalid geometries were made valid"))
    if total.linearised:
        said.append(warning("CURVES_LINEARISED", f"{total.linearised} curved geometries were turned into straight segments"))
    if total.surfaces:
        said.append(warning("SURFACES_FLATTENED", f"{total.surfaces} polyhedral surfaces or TINs became multipolygons"))
    if total.wrapped:
        said.append(
            warning("ANTIMERIDIAN_DIVIDED", f"{total.wrapped} geometries beyond or across the antimeridian were brought within 180 degrees")
        )
    if total.long_edges:
        said.append(
            warning(
                "ANTIMERIDIAN_NOT_ASSUMED",
                f"{total.long_edges} geometries have an edge of more than 180 degrees, and were taken as they are written",
                "If they were to cross the antimeridian, write longitudes beyond 180, or divide them there",
            )
        )
    if total.measured:
        said.append(warning("M_DROPPED", f"{total.measured} geometries lost their M values, which tables do not keep"))
    if total.without_geometry:
        said.append(warning("GEOMETRIES_MISSING", f"{total.without_geometry} rows have no geometry"))
    for what, (code, message) in _ALTERED.items():
        if columns := total.altered.get(what):
            said.append(warning(code, f"{message}: {', '.join(f'{name} {count}' for name, count in sorted(columns.items()))}"))
    return said


def of_download(differing: dict[str, int]) -> list[Warning_]:
    """What a GeoPackage cannot have as the table has it."""
    if not differing:
        return []
    listed = ", ".join(f"{what}: {count}" for what, count in sorted(differing.items()))
    return [
        warning("DOWNLOAD_DIFFERS", f"Values that a GeoPackage cannot have as the table has them: {listed}", "Read these from the table")
    ]


def total(parts: Iterable[ChunkReport]) -> ChunkReport:
    """The reports of all chunks, added up."""
    listed = list(parts)
    reasons: Counter[str] = Counter()
    for part in listed:
        reasons.update(part.reasons)
    return ChunkReport(
        read=sum(part.read for part in listed),
        inserted=sum(part.inserted for part in listed),
        rejected=sum(part.rejected for part in listed),
        repaired=sum(part.repaired for part in listed),
        measured=sum(part.measured for part in listed),
        linearised=sum(part.linearised for part in listed),
        surfaces=sum(part.surfaces for part in listed),
        wrapped=sum(part.wrapped for part in listed),
        long_edges=sum(part.long_edges for part in listed),
        without_geometry=sum(part.without_geometry for part in listed),
        reasons=dict(reasons),
        altered=merged([part.altered for part in listed]),
    )


def less(total: ChunkReport, rejected: dict[str, int]) -> ChunkReport:
    """The same, where rows that had been inserted were rejected after all, by reason."""
    gone = sum(rejected.values())
    counts = {"inserted": total.inserted - gone, "rejected": total.rejected + gone, "reasons": total.reasons | rejected}
    return total.model_copy(update=counts)


def _listed(types: Iterable[str]) -> str:
    return ", ".join(sorted(types))
