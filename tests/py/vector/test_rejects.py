"""What was rejected can be queried, and downloaded; what was granted outlives the table that is replaced."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from psycopg import sql

from tests.py.support.stac_extensions import problems
from tests.py.vector.conftest import Mill


def features(*coordinates: list[float]) -> dict[str, Any]:
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"name": f"Nº {number}", "reason": "its own"},
                "geometry": {"type": "Point", "coordinates": place},
            }
            for number, place in enumerate(coordinates)
        ],
    }


def test_rejects_are_files(mill: Mill) -> None:
    done = mill.ingest(mill.write("some.geojson", features([7, 50], [7, 95], [7, -95])))
    assert problems(done.status["stac_metadata"], "item") == []
    hrefs = done.status["endpoints"]["rejects"]
    assets = done.status["stac_metadata"]["assets"]
    assert [assets[f"rejects_{suffix}"]["href"] for suffix in ("csv", "geojson")] == hrefs
    paths = [Path(href.removeprefix("file://")) for href in hrefs]
    assert [path.stat().st_size for path in paths] == [assets[f"rejects_{suffix}"]["file:size"] for suffix in ("csv", "geojson")]
    with paths[0].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    queried = mill.rejects(done.request_id)
    assert [(row["source_row"], row["code"], row["reason"], json.loads(row["properties"])) for row in rows] == [
        (str(row["source_row"]), row["code"], row["reason"], row["properties"]) for row in queried
    ]
    assert len(rows) == 2
    document = json.loads(paths[1].read_text(encoding="utf-8"))
    assert [
        (feature["geometry"], feature["properties"]["name"], feature["properties"]["reject_code"]) for feature in document["features"]
    ] == [
        (None, "Nº 1", "GEOMETRY_OUT_OF_RANGE"),
        (None, "Nº 2", "GEOMETRY_OUT_OF_RANGE"),
    ]
    assert document["features"][0]["properties"]["reason"] == "its own"
    [said] = mill.ddh.execute("SELECT platform.unpublish_request(%s, false) AS said", (done.request_id,)).fetchall()
    assert said["said"]["files"]["hrefs"] == hrefs
    mill.work()
    assert not any(path.exists() for path in paths)


def test_without_rejects_there_are_no_files(mill: Mill) -> None:
    done = mill.ingest(mill.place("nc.gpkg"))
    assert "rejects" not in done.status["endpoints"]
    assert set(done.status["stac_metadata"]["assets"]) == {"table"}


def test_grants_outlive_a_replacement(mill: Mill) -> None:
    done = mill.ingest(mill.place("nc.gpkg"), dataset="granted")
    mill.superuser.execute(sql.SQL("GRANT SELECT ON {} TO geomill_admin WITH GRANT OPTION").format(done.relation))
    mill.superuser.execute(sql.SQL("GRANT REFERENCES ON {} TO PUBLIC").format(done.relation))
    query = (
        "SELECT a.grantee::regrole::text, a.privilege_type, a.is_grantable"
        " FROM pg_class AS c, aclexplode(c.relacl) AS a WHERE c.oid = %s::regclass"
    )
    before = {tuple(row.values()) for row in mill.rows(query, done.table)}
    mill.ingest(mill.place("naturalearth_lowres.shp"), dataset="granted", overwrite=True)
    assert {tuple(row.values()) for row in mill.rows(query, done.table)} == before
    assert ("geomill_admin", "SELECT", True) in before
