"""`python -m bench.bare_listener DSN`: the least that can be woken by a notification and claim: the floor of the idle case."""

from __future__ import annotations

import sys

import psycopg

from bench.handler import say_started

CLAIM = """
UPDATE bench_floor.task SET state = 1, started = now()
 WHERE id = (SELECT id FROM bench_floor.task WHERE state = 0 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id
"""


def main(dsn: str) -> None:
    """Claim one task for each notification, until killed."""
    with psycopg.connect(dsn, autocommit=True) as listening, psycopg.connect(dsn, autocommit=True) as claiming:
        listening.execute("LISTEN bench_floor")
        say_started()
        for _ in listening.notifies():
            row = claiming.execute(CLAIM, prepare=True).fetchone()
            if row is not None:
                say_started()
                claiming.execute("UPDATE bench_floor.task SET state = 2, done = now() WHERE id = %s", row, prepare=True)


if __name__ == "__main__":
    main(sys.argv[1])
