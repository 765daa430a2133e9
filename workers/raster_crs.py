"""The coordinate reference system of an open raster, and the name that registries have for one.

Cached, for both take a while (the name a search through the whole registry), and the members of a collection share theirs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pyproj import CRS


def of(dataset: Any) -> CRS:
    """The CRS of an open raster that has one; raises CRSError where PROJ does not know it."""
    return _of_wkt(dataset.crs.to_wkt(version="WKT2_2019"))


def code(crs: CRS) -> str | None:
    """authority:code of a CRS, if a registry knows it."""
    return _code_of(crs.to_wkt())


@lru_cache(maxsize=256)
def _of_wkt(wkt: str) -> CRS:
    return CRS.from_wkt(wkt)


@lru_cache(maxsize=256)
def _code_of(wkt: str) -> str | None:
    authority = _of_wkt(wkt).to_authority()
    return None if authority is None else ":".join(authority)
