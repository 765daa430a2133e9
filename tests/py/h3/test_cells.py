"""The arithmetic of cells in SQL says what the library says, at every resolution, pentagons and what is no cell included."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, LiteralString

import h3
import pytest
from psycopg import sql

from tests.py.support.server import Database

Asked = Callable[[LiteralString, list[tuple[Any, ...]]], list[Any]]


def cells(each: int = 60) -> list[str]:
    """Random cells of every resolution, those at the poles and at the antimeridian, and every pentagon with its children."""
    rng = random.Random(8)
    found = [h3.latlng_to_cell(rng.uniform(-90, 90), rng.uniform(-180, 180), r) for r in range(16) for _ in range(each)]
    found += [h3.latlng_to_cell(lat, lng, r) for r in range(16) for lat, lng in ((90, 0), (-90, 0), (0, 180), (-16.5, -180))]
    for resolution in range(15):
        for pentagon in h3.get_pentagons(resolution):
            found += [pentagon, *h3.cell_to_children(pentagon)]
    return found


@pytest.fixture(scope="module")
def asked(module_database: Database) -> Asked:
    def ask(expression: LiteralString, arguments: list[tuple[Any, ...]]) -> list[Any]:
        """A SQL expression over the columns a and b, for every pair; as a client, for whom all of it is."""
        with module_database.connect("ddh") as connection:
            query = sql.SQL("SELECT {} FROM unnest(%s::bigint[], %s::integer[]) WITH ORDINALITY AS u (a, b, n) ORDER BY u.n")
            rows = connection.execute(query.format(sql.SQL(expression)), ([pair[0] for pair in arguments], [pair[1] for pair in arguments]))
            return [row[0] for row in rows]

    return ask


def number(cell: str) -> int:
    return int(cell, 16)


def test_every_part_of_a_cell(asked: Asked) -> None:
    every = cells()
    pairs = [(number(cell), 0) for cell in every]
    assert asked("h3.resolution(a)", pairs) == [h3.get_resolution(cell) for cell in every]
    assert asked("h3.base_cell(a)", pairs) == [h3.get_base_cell_number(cell) for cell in every]
    assert asked("h3.is_pentagon(a)", pairs) == [h3.is_pentagon(cell) for cell in every]
    assert asked("h3.to_text(a)", pairs) == every
    assert asked("h3.from_text(h3.to_text(a))", pairs) == [number(cell) for cell in every]
    assert all(asked("h3.is_valid(a)", pairs))


def test_parents_and_ranges_of_children(asked: Asked) -> None:
    every = cells(20)
    pairs = [(number(cell), r) for cell in every for r in range(h3.get_resolution(cell) + 1)]
    assert asked("h3.parent(a, b)", pairs) == [number(h3.cell_to_parent(h3.int_to_str(a), b)) for a, b in pairs]
    finer = [(number(cell), r) for cell in every for r in range(h3.get_resolution(cell), 16)]
    assert asked("h3.first_child(a, b)", finer) == [number(h3.cell_to_center_child(h3.int_to_str(a), b)) for a, b in finer]
    assert asked("h3.child_count(a, b)", finer) == [h3.cell_to_children_size(h3.int_to_str(a), b) for a, b in finer]
    last = [h3.child_pos_to_cell(h3.int_to_str(a), b, h3.cell_to_children_size(h3.int_to_str(a), b) - 1) for a, b in finer]
    assert asked("h3.last_child(a, b)", finer) == [number(cell) for cell in last]
    assert asked("h3.parent(a, b)", [(number("85283473fffffff"), 6), (number("85283473fffffff"), -1)]) == [None, None]


def test_children_one_by_one(asked: Asked) -> None:
    chosen = [*random.Random(3).sample(cells(), 40), *h3.get_pentagons(2)]
    pairs = [(number(cell), r) for cell in chosen for r in range(h3.get_resolution(cell), min(h3.get_resolution(cell) + 4, 16))]
    assert asked("ARRAY(SELECT c FROM h3.children(a, b) AS c ORDER BY c)", pairs) == [
        sorted(number(child) for child in h3.cell_to_children(h3.int_to_str(a), b)) for a, b in pairs
    ]


def test_what_is_no_cell(asked: Asked) -> None:
    rng = random.Random(9)
    # One bit of a good one flipped; and edges, vertices, the deleted children of pentagons, and nothing.
    wrong = [number(cell) ^ (1 << rng.randrange(63)) for cell in cells()]
    wrong += [0, -1, 2**63 - 1, number(h3.origin_to_directed_edges("85283473fffffff")[0]), number(h3.cell_to_vertex("85283473fffffff", 0))]
    for pentagon in h3.get_pentagons(4):
        wrong.append(number(h3.cell_to_center_child(pentagon, 9)) | (1 << (3 * (15 - 7))))
    pairs = [(one, 0) for one in wrong]
    expected = [one > 0 and h3.is_valid_cell(h3.int_to_str(one)) for one in wrong]
    assert asked("h3.is_valid(a)", pairs) == expected
    assert {True, False} == set(expected)
