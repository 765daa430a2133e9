"""`make bench`: measure, print, and with `--write` keep the report in bench/RESULTS.md. `--quick` for a look, `--peers` for others too."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from bench.engine import CASES, Figure, measure, measure_fan_out, median, median_cpu, prepare
from bench.growth import measure_backlog, measure_old_transaction, measure_small_jobs, measure_views
from bench.h3_grids import measure as measure_h3
from bench.huge import MEMORY
from bench.huge import measure as measure_huge
from bench.idle import measure_idle
from bench.layers import layer, size
from bench.peers import best_ratio, measure_peers
from bench.rasters import STEPS, Step, measure_collection, steps
from bench.requests import CALLS, fill, hub
from bench.requests import measure as measure_requests
from bench.searches import SIDES, SORTS
from bench.searches import measure as measure_searches
from bench.vectors import has_peer
from bench.vectors import measure as measure_vectors
from codegen.connection import resolve_dsn

DATABASE = "geomill_bench"
RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
PARTS = ("turns", "fan-out", "old-transaction", "backlog", "idle", "vectors", "requests", "searches", "rasters", "h3")
FURTHER = ("huge", "peers")
"""Only where they are asked for."""


@dataclass(frozen=True)
class Effort:
    """How long and how often."""

    runs: int
    seconds: int
    tasks: int
    idle: int
    backlog: tuple[int, ...]
    old: int
    vectors: tuple[int, ...]
    vector_runs: int
    requests: tuple[int, ...]
    searches: int
    raster_side: int
    raster_items: int
    huge_side: int
    h3_resolutions: tuple[int, ...]
    h3_side: int


QUICK = Effort(
    runs=1,
    seconds=2,
    tasks=300_000,
    idle=15,
    backlog=(1_000, 100_000),
    old=1,
    vectors=(10_000, 100_000),
    vector_runs=1,
    requests=(1_000, 10_000),
    searches=100,
    raster_side=2_500,
    raster_items=100,
    huge_side=16_000,
    h3_resolutions=(3, 4),
    h3_side=2000,
)
FULL = Effort(
    runs=5,
    seconds=4,
    tasks=500_000,
    idle=60,
    backlog=(1_000, 100_000, 1_000_000),
    old=5,
    vectors=(10_000, 100_000, 1_000_000),
    vector_runs=3,
    requests=(1_000, 100_000),
    searches=1_000,
    raster_side=10_000,
    raster_items=1_000,
    huge_side=72_000,
    h3_resolutions=(3, 4, 5, 6),
    h3_side=10_000,
)


@dataclass
class Report:
    """Lines of Markdown, printed as they come."""

    lines: list[str] = field(default_factory=list)

    def say(self, *lines: str) -> None:
        for line in lines:
            print(line, flush=True)
        self.lines += lines

    def table(self, title: str, header: Sequence[str]) -> None:
        self.say("", f"## {title}", "", f"| {' | '.join(header)} |", "|" + "-|" * len(header))

    def row(self, *cells: object) -> None:
        self.say(f"| {' | '.join(str(cell) for cell in cells)} |")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short run a side: a look, not a figure")
    parser.add_argument("--peers", action="store_true", help="other queues beside it too; installs them below GEOMILL_HOME")
    parser.add_argument(
        "--only",
        choices=[*PARTS, *FURTHER],
        action="append",
        help="these parts only; huge (26 GB of disk, a quarter of an hour) and peers are in no other",
    )
    parser.add_argument("--ten-million", action="store_true", help="with vectors: ten million polygons too (5 GB, minutes)")
    parser.add_argument("--million", action="store_true", help="with requests: a million of them in the books too (minutes)")
    parser.add_argument("--huge-side", type=int, metavar="N", help="with huge: so many pixels a side (default 72,000: 20 GB)")
    parser.add_argument("--write", action="store_true", help="write bench/RESULTS.md")
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else FULL
    report = Report()
    server = resolve_dsn("superuser")
    with ExitStack() as stack:
        dsn = stack.enter_context(_database(server, DATABASE))
        _deploy(dsn)
        with psycopg.connect(dsn, autocommit=True) as connection:
            prepare(connection)
        largest = {size: stack.enter_context(_database(server, f"{DATABASE}_{size}", template=DATABASE)) for size in effort.backlog}
        sizes = (*effort.requests, *([1_000_000] if arguments.million else []))
        books = {size: stack.enter_context(_database(server, f"{DATABASE}_books_{size}", template=DATABASE)) for size in sizes}
        connection = stack.enter_context(psycopg.connect(dsn, autocommit=True))
        _head(report, connection, effort, sys.argv[1:])
        parts: dict[str, Callable[[], None]] = {
            "turns": lambda: _turns(report, connection, dsn, effort),
            "fan-out": lambda: _fan_out(report, connection, effort),
            "old-transaction": lambda: _old_transaction(report, connection, dsn, effort),
            "backlog": lambda: _backlog(report, largest, effort),
            "idle": lambda: _idle(report, connection, dsn, effort),
            "vectors": lambda: _vectors(report, connection, dsn, effort, ten_million=arguments.ten_million),
            "requests": lambda: _requests(report, books, effort),
            "searches": lambda: _searches(report, connection, effort),
            "rasters": lambda: _rasters(report, connection, dsn, effort),
            "huge": lambda: _huge(report, connection, dsn, arguments.huge_side or effort.huge_side),
            "h3": lambda: _h3(report, connection, dsn, effort),
            "peers": lambda: _peers(report, connection, dsn, effort),
        }
        for name in arguments.only or (*PARTS, *(["peers"] if arguments.peers else [])):
            parts[name]()
    if arguments.write:
        RESULTS.write_text("\n".join(report.lines) + "\n")
    return 0


@contextmanager
def _database(server: str, name: str, template: str | None = None) -> Iterator[str]:
    """A database for as long as it is measured."""
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template is not None:
        create = sql.SQL("{} TEMPLATE {}").format(create, sql.Identifier(template))
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(drop)
        admin.execute(create)
        try:
            yield make_conninfo(server, dbname=name)
        finally:
            admin.execute(drop)


def _deploy(dsn: str) -> None:
    # Only this database is meant, whatever else the caller names.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GEOMILL_DSN")}
    environment |= {"GEOMILL_DSN": dsn, "GEOMILL_NO_CRON": "1"}
    subprocess.run([sys.executable, "-m", "codegen", "deploy"], env=environment, check=True, stdout=subprocess.DEVNULL)


def _h3(report: Report, connection: psycopg.Connection[Any], dsn: str, effort: Effort) -> None:
    """One worker, once: the shape over resolutions is the point."""
    report.table("H3 grids and zonal statistics, one worker", ["what", "how many", "a second", "bare, a second", "of it", "MB"])
    for one in measure_h3(connection, dsn, resolutions=effort.h3_resolutions, side=effort.h3_side):
        rate, bare = one.done / one.seconds, one.done / one.bare
        report.row(one.name, f"{one.done:,}", f"{rate:,.0f}", f"{bare:,.0f}", f"{rate / bare:.2f}", one.memory)
    report.say("", "Bare: the h3 library's cells of the same polygons, stored nowhere; numpy's sums of the same pixels, in no cells.")


def _head(report: Report, connection: psycopg.Connection[Any], effort: Effort, arguments: Sequence[str]) -> None:
    row = connection.execute(
        "SELECT current_setting('server_version'), current_setting('synchronous_commit'), current_setting('fsync'),"
        " current_setting('shared_buffers')"
    ).fetchone()
    assert row is not None
    report.say(
        "# Measured",
        "",
        f"`make bench{' ARGS=' + chr(34) + ' '.join(arguments) + chr(34) if arguments else ''}`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC,"
        f" {os.cpu_count()} CPUs ({platform.machine()}), PostgreSQL {row[0]}, synchronous_commit {row[1]},"
        f" fsync {row[2]}, shared_buffers {row[3]}.",
        "",
        f"Medians of {effort.runs} alternating runs{f' of {effort.seconds} s' if effort.seconds else ''}; in brackets the lowest and the"
        " highest. The floor is a bare table, one claiming and one completing UPDATE (bench/sql/floor.sql); the engine is the deployed"
        " `app.turn`. CPU is that of the server's processes, for one task: it says more than a rate where others use the machine.",
    )


def _spread(values: Sequence[float], form: str = "{:,.0f}") -> str:
    return f"{form.format(statistics.median(values))} ({form.format(min(values))} to {form.format(max(values))})"


def _turns(report: Report, connection: psycopg.Connection[Any], dsn: str, effort: Effort) -> None:
    report.table(
        "Turns",
        (
            "case",
            "floor, tasks/s",
            "engine, tasks/s",
            "ratio",
            "target",
            "CPU µs: floor, engine, ratio",
            "WAL bytes: floor, engine",
            "table, indexes",
        ),
    )
    for case in CASES:
        tasks = effort.tasks if case.batch > 1 else effort.tasks // 5
        figure = measure(connection, dsn, case, runs=effort.runs, seconds=effort.seconds, tasks=tasks)
        report.row(
            f"batch {case.batch}, {case.clients} workers, stages of {case.stage_size}",
            _spread([run.rate for run in figure.floor]), _spread([run.rate for run in figure.engine]),
            f"**{figure.ratio:.2f}**", f"{case.target:.2f}", _cpu(figure),
            f"{statistics.median(run.wal for run in figure.floor):.0f}, {statistics.median(run.wal for run in figure.engine):.0f}",
            f"{figure.table / 1e6:.0f} MB, {figure.indexes / 1e6:.0f} MB of {tasks:,} tasks",
        )  # fmt: skip


def _cpu(figure: Figure) -> str:
    floor, engine = median_cpu(figure.floor), median_cpu(figure.engine)
    return f"{floor:.1f}, {engine:.1f}, {floor / engine:.2f}" if floor and engine else "-"


def _fan_out(report: Report, connection: psycopg.Connection[Any], effort: Effort) -> None:
    report.table("Fan-out", ("case", "INSERT … SELECT, rows/s", "advance_job_stage, tasks/s", "ratio", "target"))
    bare, engine = measure_fan_out(connection, runs=effort.runs, tasks=100_000)
    report.row(
        "a stage of 100000 tasks", _spread(bare), _spread(engine), f"**{statistics.median(engine) / statistics.median(bare):.2f}**", "0.50"
    )


def _old_transaction(report: Report, connection: psycopg.Connection[Any], dsn: str, effort: Effort) -> None:
    report.table("An old transaction, open while 100000 tasks are processed", ("", "without", "with", "ratio", "target"))
    figure = measure_old_transaction(connection, dsn, runs=effort.old, tasks=100_000)
    report.row(
        "engine, tasks/s",
        _spread([run.rate for run in figure.engine]),
        _spread([run.rate for run in figure.engine_held]),
        f"**{figure.ratio:.2f}**",
        "0.80",
    )
    report.row(
        "next claim of 50, ms",
        _spread(figure.claim, "{:.2f}"),
        _spread(figure.claim_held, "{:.2f}"),
        f"**{figure.claim_ratio:.2f}**",
        "≤ 2",
    )
    without, held = measure_small_jobs(connection, dsn, runs=effort.old, tasks=10_000)
    report.row(
        "engine, jobs of 10 tasks, one a turn, tasks/s",
        _spread([run.rate for run in without]),
        _spread([run.rate for run in held]),
        f"**{median(held) / median(without):.2f}**",
        "0.80",
    )
    report.row(
        "floor, tasks/s",
        _spread([run.rate for run in figure.floor]),
        _spread([run.rate for run in figure.floor_held]),
        f"{median(figure.floor_held) / median(figure.floor):.2f}",
        "-",
    )


def _backlog(report: Report, databases: dict[int, str], effort: Effort) -> None:
    with ExitStack() as stack:
        connections = {size: stack.enter_context(psycopg.connect(dsn, autocommit=True)) for size, dsn in databases.items()}
        sizes = sorted(connections)
        least, most = sizes[0], sizes[-1]
        times = measure_backlog(connections, runs=effort.runs, cycles=100)
        report.table("Tasks that wait", ("", *(f"{size:,}" for size in sizes), "largest / smallest", "target"))
        ratio = statistics.median(times[most]) / statistics.median(times[least])
        report.row("a turn of one task, µs", *(_spread(times[size]) for size in sizes), f"**{ratio:.2f}**", "≤ 1.3")
        for name, by_size in measure_views(connections, runs=effort.runs).items():
            report.row(
                f"`{name}`, ms",
                *(f"{by_size[size]:.1f}" for size in sizes),
                f"{by_size[most] / by_size[least]:.2f}",
                "ms, whatever the number",
            )


def _idle(report: Report, connection: psycopg.Connection[Any], dsn: str, effort: Effort) -> None:
    report.table("Idle: submit → handler started, ms", ("", "bare NOTIFY + claim", "engine and worker", "ratio", "target"))
    waits = measure_idle(connection, dsn, times=effort.idle)
    report.row("p50", _spread(waits.bare, "{:.1f}"), _spread(waits.engine, "{:.1f}"), f"**{waits.ratio:.2f}**", "≤ 2")


def _vectors(report: Report, connection: psycopg.Connection[Any], dsn: str, effort: Effort, *, ten_million: bool) -> None:
    report.table(
        "Vectors: from submit to the request's end, beside ogr2ogr's COPY with a spatial index",
        (
            "file",
            "ogr2ogr, s",
            "1 worker, s",
            "ratio",
            "target",
            "2 workers, s",
            "ratio",
            "target",
            "rows/s, 1 worker",
            "peak MB of a worker",
            "target",
        ),
    )
    if not has_peer():
        report.say("", "There is no ogr2ogr to compare with: `ops/install.sh bench`.")
    largest = max(effort.vectors)
    files = [
        *(layer(rows) for rows in (*effort.vectors, *([10_000_000] if ten_million else []))),
        layer(171_000, geometry="Point"), layer(min(largest, 100_000), ".shp"), layer(min(largest, 100_000), ".geojson"),
    ]  # fmt: skip
    for path in files:
        figure = measure_vectors(connection, dsn, path, runs=1 if "10000000" in path.name else effort.vector_runs)
        rows = int(path.stem.partition("_")[2])
        ratios = {number: f"**{figure.ratio(number):.2f}**" if figure.bare else "-" for number in figure.workers}
        report.row(
            f"{path.name}, {size(path) / 1e6:.0f} MB", _spread(figure.bare, "{:.1f}") if figure.bare else "-",
            _spread(figure.workers[1], "{:.1f}"), ratios[1], "≤ 1.5", _spread(figure.workers[2], "{:.1f}"), ratios[2], "≤ 1.0",
            f"{rows / statistics.median(figure.workers[1]):,.0f}", f"{figure.memory:.0f}", "< 400",
        )  # fmt: skip


def _requests(report: Report, books: dict[int, str], effort: Effort) -> None:
    """Each size in a database of its own."""
    sizes = list(books)
    seconds = 3.0 * max(effort.seconds, 1)
    made = {}
    for old, dsn in books.items():
        with psycopg.connect(dsn, autocommit=True) as connection, hub(connection):
            fill(connection, old)
            made[old] = measure_requests(partial(psycopg.connect, dsn, autocommit=True), old=old, seconds=seconds)
    report.table(
        f"Requests: 4 callers at once, six polls to a submit, a list and two searches, {seconds:.0f} s; ms, p50 / p95",
        ("", *(f"{old:,} in the books" for old in sizes), "p50, largest / smallest", "target"),
    )
    for kind in CALLS:
        ratio = made[sizes[-1]].p50(kind) / made[sizes[0]].p50(kind)
        report.row(kind, *(f"{made[old].p50(kind):.1f} / {made[old].p95(kind):.1f}" for old in sizes), f"**{ratio:.2f}**", "≤ 1.5")
    report.row("calls/s", *(f"{made[old].rate:,.0f}" for old in sizes), f"{made[sizes[-1]].rate / made[sizes[0]].rate:.2f}", "-")


def _searches(report: Report, connection: psycopg.Connection[Any], effort: Effort) -> None:
    with hub(connection):
        made = measure_searches(connection, effort.searches)
    report.table(f"STAC searches among 1,000 items, {effort.searches:,} of each sort; ms, p50", ("", *SIDES))
    for sort in SORTS:
        report.row(sort, *(f"{made[sort, side]:.2f}" for side in SIDES))


def _rasters(report: Report, connection: psycopg.Connection[Any], dsn: str, effort: Effort) -> None:
    report.table(
        f"Rasters of {effort.raster_side:,} x {effort.raster_side:,}: seconds, peak MB, MB of the file",
        ("", *STEPS, "convert + statistics / driver + statistics", "target"),
    )
    for case, found in steps(effort.raster_side):
        driver, ours = (
            [found[step].seconds + found["statistics"].seconds, found[step].cpu + found["statistics"].cpu] for step in ("driver", "convert")
        )
        report.row(case, *(_step(found[step]) for step in STEPS), f"**{ours[0] / driver[0]:.2f}**, CPU {ours[1] / driver[1]:.2f}", "≤ 1.15")
    figure = measure_collection(connection, dsn, effort.raster_items, 256)
    report.table(
        f"A collection of {figure.items:,} rasters of 256 x 256, two workers",
        ("geomill, s", "bare conversions, s", "overhead, ms an item", "CPU ms an item: workers, bare, ratio"),
    )
    report.row(
        f"{figure.geomill:.1f}", f"{figure.bare:.1f}",
        f"{figure.each(figure.geomill - figure.bare):.0f} ({figure.geomill / figure.bare:.2f} x)",
        f"{figure.each(figure.geomill_cpu):.1f}, {figure.each(figure.bare_cpu):.1f}, {figure.geomill_cpu / figure.bare_cpu:.2f}",
    )  # fmt: skip


def _huge(report: Report, connection: psycopg.Connection[Any], dsn: str, side: int) -> None:
    figure = measure_huge(connection, dsn, side)
    memory = (
        f"{MEMORY / 2**30:.0f} GB of memory for each, the system's cache of files included" if figure.is_limited else "memory not limited"
    )
    report.table(
        f"A raster of {side:,} x {side:,}, {figure.source / 1e9:.1f} GB in strips, one worker; {memory}",
        (
            "request, s",
            "examine, s",
            "convert, prove and publish, s",
            "peak MB of the worker",
            "read, in sources",
            "COG, MB",
            "driver alone",
        ),
    )
    examined, converted = (figure.by_task[name] for name in ("raster_validate_v2", "raster_convert_v2"))
    report.row(
        f"{figure.seconds:.0f}", f"{examined:.0f}", f"{converted:.0f}", f"{figure.megabytes:.0f}", f"{figure.read:.1f}",
        f"{figure.cog / 1e6:.0f}", f"{figure.driver_seconds:.0f} s, {figure.driver_megabytes:.0f} MB",
    )  # fmt: skip


def _step(step: Step) -> str:
    return f"{step.seconds:.1f} s, {step.megabytes:.0f} MB" + (f", {step.size / 1e6:.0f} MB" if step.size else "")


def _peers(report: Report, connection: psycopg.Connection[Any], dsn: str, effort: Effort) -> None:
    report.table("Peers: batch 50 (procrastinate: 1), 4 workers", ("", "tasks/s", "CPU µs a task"))
    rates = measure_peers(connection, dsn, runs=effort.runs, seconds=effort.seconds, tasks=effort.tasks)
    for name, runs in rates.items():
        cpu = median_cpu(runs)
        report.row(name, _spread([run.rate for run in runs]), f"{cpu:.1f}" if cpu else "-")
    report.say("", f"The engine does **{best_ratio(rates):.2f}** times what the best of them does; the target is 1.5.")


if __name__ == "__main__":
    sys.exit(main())
