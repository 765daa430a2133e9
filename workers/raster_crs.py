"""The name that registries have for a coordinate reference system."""

from __future__ import annotations

from functools import lru_cache

from pyproj import CRS


def code(crs: CRS) -> str | None:
    """authority:code of a CRS, if a registry knows it."""
    return _code_of(crs.to_wkt())


@lru_cache(maxsize=256)
def _code_of(wkt: str) -> str | None:
    """Cached, for a search through the whole registry takes a while, and the members of a collection share their CRS."""
    authority = CRS.from_wkt(wkt).to_authority()
    return None if authority is None else ":".join(authority)
