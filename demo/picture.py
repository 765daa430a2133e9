"""The picture of what was ingested: the countries as they lie in PostGIS, and the scene as its COG serves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import matplotlib
import numpy as np
import psycopg
import rasterio
import shapely
from psycopg import sql

matplotlib.use("Agg")

from matplotlib import pyplot

INK, SEA = "#22303c", "#eef3f6"


def _countries(connection: psycopg.Connection[Any], table: str) -> geopandas.GeoDataFrame:
    schema, name = table.split(".")
    rows = connection.execute(
        sql.SQL("SELECT name, continent, pop_est, public.ST_AsBinary(geom) FROM {}").format(sql.Identifier(schema, name))
    ).fetchall()
    return geopandas.GeoDataFrame(
        {"name": [r[0] for r in rows], "continent": [r[1] for r in rows], "population": [float(r[2] or 0) for r in rows]},
        geometry=shapely.from_wkb([bytes(r[3]) for r in rows]),
        crs="EPSG:4326",
    )


def draw(connection: psycopg.Connection[Any], table: str, cog: Path, picture: Path) -> None:
    """Render `table` (read through the client's own connection) and an overview of `cog` into the PNG `picture`."""
    countries = _countries(connection, table)
    figure, (world, scene) = pyplot.subplots(1, 2, figsize=(14, 4.6), width_ratios=(2.6, 1), facecolor="white")
    projected = countries.to_crs("+proj=robin")
    projected.plot(
        ax=world,
        column=np.log10(projected["population"].clip(lower=1e4)),
        cmap="YlGnBu",
        edgecolor=INK,
        linewidth=0.3,
        legend=True,
        legend_kwds={"label": "population, 10^x", "shrink": 0.8, "pad": 0.01},
    )
    world.set_facecolor(SEA)
    world.set_title(f"{table}: {len(countries)} countries, as they lie in PostGIS", color=INK)
    with rasterio.open(cog) as source:
        bands = source.read((3, 2, 1), out_shape=(3, source.height // 2, source.width // 2)).astype("float64")
        low, high = np.percentile(bands, (2, 98), axis=(1, 2), keepdims=True)
        scene.imshow(np.moveaxis(np.clip((bands - low) / np.maximum(high - low, 1), 0, 1), 0, -1))
        scene.set_title(f"{cog.name}: from the COG's overview, {source.crs}", color=INK, fontsize=9)
    for axes in (world, scene):
        axes.set_xlabel("")
        axes.set_ylabel("")
        axes.set_xticks([])
        axes.set_yticks([])
        for edge in axes.spines.values():
            edge.set_color("#b8c4cc")
    figure.tight_layout()
    figure.savefig(picture, dpi=100, bbox_inches="tight")
    pyplot.close(figure)
