"""A statistic over a grid as a picture: `python -m demo.h3_map DATASET RESOLUTION OUT.png [--variable b1] [--statistic mean]`.

Reads h3.statistics as the role reader; the cells' outlines are the h3 library's.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import h3
import matplotlib as mpl
from psycopg import sql

from codegen.connection import connect

mpl.use("Agg")

from matplotlib import pyplot
from matplotlib.collections import PolyCollection

STATISTICS = ("mean", "stddev", "minimum", "maximum", "count")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.h3_map", description="Draw a statistic over a grid.")
    parser.add_argument("dataset", help="dataset_id in h3.statistics")
    parser.add_argument("resolution", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument("--grid", help="grid_id; default: the only one")
    parser.add_argument("--variable", default="b1")
    parser.add_argument("--statistic", choices=STATISTICS, default="mean")
    asked = parser.parse_args()
    with connect("reader", application_name="geomill h3 map") as connection:
        rows = connection.execute(
            sql.SQL(
                "SELECT h3.to_text(cell), {} FROM h3.statistics WHERE dataset_id = %(dataset)s AND resolution = %(resolution)s"
                " AND variable = %(variable)s AND grid_id = coalesce(%(grid)s, grid_id) AND count > 0"
            ).format(sql.Identifier(asked.statistic)),
            {"dataset": asked.dataset, "resolution": asked.resolution, "variable": asked.variable, "grid": asked.grid},
        ).fetchall()
    if not rows:
        print(f"h3.statistics has nothing of {asked.dataset} at resolution {asked.resolution}", file=sys.stderr)
        return 1
    outlines = [[(lng, lat) for lat, lng in h3.cell_to_boundary(cell)] for cell, _ in rows]
    figure, axes = pyplot.subplots(figsize=(7, 6), layout="constrained")
    drawn = axes.add_collection(
        PolyCollection(outlines, array=[value for _, value in rows], cmap="viridis", edgecolor="white", linewidth=0.3)
    )
    axes.autoscale()
    # A degree of longitude is shorter than one of latitude, away from the equator.
    axes.set_aspect("equal" if abs(outlines[0][0][1]) < 20 else 1.5)
    axes.set(xlabel="longitude", ylabel="latitude")
    figure.colorbar(drawn, label=f"{asked.statistic} of {asked.variable}", shrink=0.8)
    axes.set_title(f"{asked.dataset}: {len(rows)} cells of resolution {asked.resolution}")
    figure.savefig(asked.out, dpi=110)
    return 0


if __name__ == "__main__":
    sys.exit(main())
