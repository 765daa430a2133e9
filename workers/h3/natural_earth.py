"""The countries of Natural Earth at 1:110 million, in the public domain: what land is, unless a grid is told otherwise.

They lie in the checkout beside this package (demo/data). Finer ones are a vector request away: ingest them, and name the table.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyogrio

from workers.errors import TaskError

FILE = Path(__file__).resolve().parents[2] / "demo" / "data" / "naturalearth_lowres.shp"

# Where the data has -99.
_CODES = {"France": "FRA", "Norway": "NOR"}


def countries(codes: list[str] | None = None) -> list[bytes]:
    """The shapes of all countries, or of some, as WKB; a code that no country has is refused."""
    frame = pyogrio.read_dataframe(FILE, columns=["name", "iso_a3"])
    known = frame["name"].map(_CODES).fillna(frame["iso_a3"])
    if codes is None:
        return [bytes(one) for one in frame.geometry.to_wkb()]
    if unknown := sorted(set(codes) - set(known)):
        raise TaskError(
            "COUNTRY_UNKNOWN", f"Natural Earth has no country {', '.join(unknown)} at 1:110 million", category="user",
            field="filter.countries", value=unknown,
            remediation="Use ISO 3166-1 alpha-3 codes; small countries are in finer data: ingest that and use a filter of kind table",
        )  # fmt: skip
    return [bytes(one) for one in frame.geometry[known.isin(codes)].to_wkb()]


def provenance() -> dict[str, Any]:
    """Where they are from."""
    return {
        "source": "Natural Earth, admin 0 countries, 1:110 million",
        "url": "https://www.naturalearthdata.com",
        "license": "public domain",
        "file": FILE.name,
        "sha256": hashlib.sha256(FILE.read_bytes()).hexdigest(),
    }
