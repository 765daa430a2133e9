"""`make bench`: measure, print, and write bench/RESULTS.md. ARGS="--quick" for a look; `--write` to keep the report."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from bench.engine import CASES, measure, measure_fan_out, prepare
from codegen.connection import resolve_dsn

DATABASE = "geomill_bench"
RESULTS = Path(__file__).resolve().parent / "RESULTS.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short run a side: a look, not a figure")
    parser.add_argument("--write", action="store_true", help="write bench/RESULTS.md")
    arguments = parser.parse_args()
    runs, seconds, tasks = (1, 2, 300_000) if arguments.quick else (5, 5, 800_000)

    server = resolve_dsn("superuser")
    dsn = make_conninfo(server, dbname=DATABASE)
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(DATABASE)))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    try:
        # Only this database is meant, whatever else the caller names.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GEOMILL_DSN")}
        environment |= {"GEOMILL_DSN": dsn, "GEOMILL_NO_CRON": "1"}
        subprocess.run([sys.executable, "-m", "codegen", "deploy"], env=environment, check=True, stdout=subprocess.DEVNULL)
        lines = [
            "# Measured",
            "",
            f"By `make bench{' ARGS=--quick' if arguments.quick else ''}`: medians of {runs} alternating runs of {seconds} s, no-op tasks,",
            "tasks per second (the last row: rows per second; its floor is a bare INSERT … SELECT).",
            "",
            "| case | floor | engine | ratio | target |",
            "|-|-|-|-|-|",
        ]
        with psycopg.connect(dsn, autocommit=True) as connection:
            prepare(connection)
            for case in CASES:
                figure = measure(connection, dsn, case, runs=runs, seconds=seconds, tasks=tasks)
                lines.append(
                    f"| batch {case.batch}, {case.clients} workers, stages of {case.stage_size} "
                    f"| {figure.floor:,.0f} | {figure.engine:,.0f} | {figure.ratio:.2f} | {case.target:.2f} |"
                )
                print(lines[-1], flush=True)
            bare, fan_out = measure_fan_out(connection, runs=runs, tasks=100_000)
            lines.append(f"| create a stage of 100000 tasks | {bare:,.0f} | {fan_out:,.0f} | {fan_out / bare:.2f} | 0.50 |")
            print(lines[-1])
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(DATABASE)))
    if arguments.write:
        RESULTS.write_text("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
