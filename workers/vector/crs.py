"""Which CRS a layer is in: what the file says, what the request says where the file is silent, and never a guess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from workers.errors import TaskError

WGS84 = 4326
_LONGEST = 50
_SURE = 90
"""Confidence, in PROJ's percent, from which a WKT is the CRS of a code: all but the names are the same."""


@dataclass(frozen=True)
class SourceCrs:
    """A CRS that geometries can be transformed from. The code is missing where no authority knows it."""

    name: str
    """EPSG:n, or a short name."""
    code: tuple[str, int] | None
    wkt: str

    def srid(self, connection: psycopg.Connection[Any]) -> int | None:
        """Its row in spatial_ref_sys; None where there is none."""
        if self.code is None:
            return None
        row = connection.execute("SELECT srid FROM public.spatial_ref_sys WHERE auth_name = %s AND auth_srid = %s", self.code).fetchone()
        return None if row is None else int(row[0])


@dataclass(frozen=True)
class TableCrs:
    """The CRS that a table's geometries are in."""

    srid: int
    in_degrees: bool


DEGREES = TableCrs(WGS84, in_degrees=True)


def of_table(code: str | None) -> TableCrs:
    """The CRS that a request wants its table in, as EPSG:n; EPSG:4326 if it does not say."""
    if code is None:
        return DEGREES
    crs = _parse(code, "target_crs")
    authority, _, number = code.partition(":")
    if authority != "EPSG" or not (crs.is_geographic or crs.is_projected) or len(crs.axis_info) != 2:
        raise TaskError(
            "CRS_NOT_USABLE", f"A table cannot be in {code}: {crs.name}", category="user", field="target_crs", value=code,
            remediation="Use the EPSG code of a geographic or projected CRS, without height; or leave target_crs out for EPSG:4326",
        )  # fmt: skip
    return TableCrs(int(number), in_degrees=crs.is_geographic)


def crosses_antimeridian(name: str) -> bool:
    """Whether the area of a projected CRS lies on both sides of it. A cylinder around the world ends there, and does not."""
    try:
        crs = CRS.from_user_input(name)
    except CRSError:
        return False
    area, method = crs.area_of_use, crs.coordinate_operation.method_name if crs.coordinate_operation else ""
    if not crs.is_projected or area is None:
        return False
    return bool(area.west > area.east) or (area.west <= -180 and area.east >= 180 and ("Polar" in method or "Azimuthal" in method))


def decide(in_file: str | None, requested: str | None, *, is_default: bool = False) -> SourceCrs:
    """The CRS of a layer. `is_default`: the file does not say so itself, it is what its format means by saying nothing."""
    said = None if in_file is None else _parse(in_file, "the file")
    asked = None if requested is None else _parse(requested, "source_crs")
    if said is not None and asked is not None and not is_default and not _same(said, asked):
        raise TaskError(
            "CRS_CONFLICT", f"The file says {_name(said)}, source_crs says {requested}", category="user", field="source_crs",
            value=requested, remediation="Leave source_crs out, or correct the file",
        )  # fmt: skip
    chosen = asked if said is None or (is_default and asked is not None) else said
    if chosen is None:
        raise TaskError(
            "CRS_MISSING", "The file does not say its CRS", category="data", field="source_crs",
            remediation="Give processing_config.source_crs, e.g. EPSG:4326, or upload the file with its .prj",
        )  # fmt: skip
    return _usable(chosen)


def _parse(text: str, whose: str) -> CRS:
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise TaskError(
            "CRS_UNKNOWN",
            f"The CRS of {whose} is not known: {text[:200]}",
            category="data" if whose == "the file" else "user",
            field="source_crs" if whose == "the file" else whose,
            value=text[:200],
            remediation="Use an EPSG code that exists, e.g. EPSG:4326",
        ) from error  # fmt: skip


def _usable(crs: CRS) -> SourceCrs:
    flat = _horizontal(crs)
    try:
        # Whether there is a way to EPSG:4326 at all: not from an engineering CRS, nor from another planet's.
        if not (flat.is_geographic or flat.is_projected):
            raise ProjError("it is neither geographic nor projected")
        Transformer.from_crs(flat, WGS84, always_xy=True)
    except ProjError as error:
        raise TaskError(
            "CRS_NOT_USABLE", f"There is no way from {_name(flat)} to EPSG:4326: {error}", category="data", field="source_crs",
            value=_name(flat), remediation="Give processing_config.source_crs if the file is wrong about its CRS, or reproject it",
        ) from error  # fmt: skip
    return SourceCrs(_name(flat), _code(flat), flat.to_wkt())


def _horizontal(crs: CRS) -> CRS:
    """Without height: the horizontal part of a compound CRS, the 2D form of a 3D one."""
    if crs.is_compound:
        return _horizontal(crs.sub_crs_list[0])
    return crs.to_2d() if len(crs.axis_info) == 3 and (crs.is_geographic or crs.is_projected) else crs


def _code(crs: CRS) -> tuple[str, int] | None:
    authority = crs.to_authority(min_confidence=_SURE)
    if authority is None:
        return None
    name, code = authority
    if (name, code) == ("OGC", "CRS84"):
        return ("EPSG", WGS84)
    return (name, int(code)) if code.isdigit() else None


def _name(crs: CRS) -> str:
    code = _code(crs)
    return f"{code[0]}:{code[1]}" if code else (crs.name or "unnamed")[:_LONGEST]


def _same(one: CRS, other: CRS) -> bool:
    one, other = _horizontal(one), _horizontal(other)
    codes = _code(one), _code(other)
    return (codes[0] is not None and codes[0] == codes[1]) or one.equals(other, ignore_axis_order=True)
