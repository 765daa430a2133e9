"""Where the server has h3-pg: schema h3 says what the extension says. What a DBA runs to see it is what runs here."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Iterator
from typing import Any, LiteralString

import h3
import numpy as np
import psycopg
import pytest
from psycopg import sql

from tests.py.platform.test_roles import CELLS
from tests.py.platform.together import value
from tests.py.support.server import CHECKOUT, Database, Server
from workers.h3 import cells

NO_COUNTERPART = {"h3.digits"}
"""What others here are made of."""


@pytest.fixture(scope="module", autouse=True)
def available(server: Server) -> None:
    with psycopg.connect(server.superuser_dsn) as connection:
        if connection.execute("SELECT FROM pg_available_extensions WHERE name = 'h3'").fetchone() is None:
            pytest.skip("the server has no h3-pg")


@pytest.fixture
def extended(engine_database: Database) -> Iterator[psycopg.Connection[Any]]:
    """A database of the test's own that has the extension."""
    with engine_database.connect() as connection:
        connection.execute("CREATE EXTENSION h3 SCHEMA public")
        yield connection


def agreement(database: Database) -> tuple[int, dict[str, tuple[int, int, str]], str]:
    """psql's exit status; of each function how many answers were compared, how many differ, and one; and the error."""
    command = ["psql", "--no-psqlrc", "--csv", "--tuples-only", "--file", "ops/h3_agreement.sql", database.dsn()]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    rows = [row for row in csv.reader(done.stdout.splitlines()) if row[0].startswith("h3.")]
    return done.returncode, {name: (int(compared), int(different), one) for name, compared, different, one in rows}, done.stderr


def test_every_function_agrees(module_database: Database) -> None:
    status, found, error = agreement(module_database)
    assert (status, error) == (0, "")
    assert set(found) == set(CELLS.split()) - NO_COUNTERPART
    assert {name: answer for name, answer in found.items() if answer[1] or answer[0] < 100} == {}
    with module_database.connect() as connection:
        assert value(connection, "SELECT count(*) FROM pg_extension WHERE extname = 'h3'") == 0, "nothing is left behind"


@pytest.mark.parametrize(
    ("broken", "definition"),
    [
        ("h3.parent", "h3.parent(cell bigint, resolution integer) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN cell"),
        ("h3.is_valid", "h3.is_valid(cell bigint) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN (cell >> 56) = 8"),
    ],
    ids=["parent", "is_valid"],
)
def test_what_does_not_agree_is_named(database: Database, broken: str, definition: LiteralString) -> None:
    with database.connect() as connection:
        connection.execute(sql.SQL("CREATE OR REPLACE FUNCTION {}").format(sql.SQL(definition)))
    status, found, error = agreement(database)
    assert (status, "do not agree" in error) == (3, True)
    assert [name for name, (_, different, _) in found.items() if different] == [broken]
    assert found[broken][2].startswith(f"{broken}(")


def test_a_roll_up_is_the_sum_by_their_parents(extended: psycopg.Connection[Any]) -> None:
    # A pentagon and what lies around it.
    for name, parent in (("pentagon", h3.get_pentagons(1)[0]), ("hexagon", "81283ffffffffff")):
        extended.execute("SELECT tests.given_grid(%s, %s, 5)", (name, parent))
        run = value(extended, "SELECT tests.given_run(%s, %s, 5, 2)", name, name)
        extended.execute("SELECT h3.roll_up(%s)", (run,))
        for coarser in (4, 3, 2):
            ours = "SELECT cell, count, sum FROM h3.zonal_statistics WHERE run_id = %s AND h3.resolution(cell) = %s ORDER BY 1"
            theirs = (
                "SELECT h3_cell_to_parent(cell::h3index, %s)::bigint, sum(count), sum(sum) FROM h3.zonal_statistics"
                " WHERE run_id = %s AND h3_get_resolution(cell::h3index) = 5 GROUP BY 1 ORDER BY 1"
            )
            rows = extended.execute(ours, (run, coarser)).fetchall()
            assert len(rows) > 5
            assert rows == extended.execute(theirs, (coarser, run)).fetchall()


def test_centres_and_boundaries_are_theirs(extended: psycopg.Connection[Any]) -> None:
    """Workers compute them, by a library that may be another release's: to the last digits but one."""
    chosen = [cell for resolution in range(16) for cell in (*h3.get_pentagons(resolution), h3.latlng_to_cell(47.4, 8.5, resolution))]
    asked = (
        "SELECT h3_cell_to_latlng(c.cell::h3index), h3_cell_to_boundary(c.cell::h3index)"
        "  FROM unnest(%s::bigint[]) WITH ORDINALITY AS c (cell, n) ORDER BY c.n"
    )
    rows = extended.execute(asked, ([cells.number(cell) for cell in chosen],)).fetchall()
    for cell, (centre, boundary) in zip(chosen, rows, strict=True):
        assert numbers(centre) == pytest.approx(h3.cell_to_latlng(cell)[::-1], abs=1e-9)
        corners = np.reshape(numbers(boundary), (-1, 2))
        assert cells.closed(corners) == pytest.approx(cells.ring(cells.number(cell)), abs=1e-9)


def numbers(shape: str) -> list[float]:
    """Those of a point or polygon of PostgreSQL's own, as text."""
    return [float(part) for part in shape.replace("(", "").replace(")", "").split(",")]
