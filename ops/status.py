"""What is going on, for people: `make status`. On a terminal it stays and refreshes; elsewhere it is printed once.

    python -m ops.status [--once] [--every SECONDS] [--role ROLE]

Everything shown is what the functions of schema app say (docs/operators.md); here it is only laid out, 100 columns wide.
Each look is one read-only transaction that gives up after five seconds.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
from psycopg.rows import DictRow, dict_row

from codegen.connection import as_role, connect_to, resolve_dsn
from codegen.refusal import RefusedError

WIDTH = 100
ROWS = 8
"""Most rows of a section."""

BOLD, DIM, RED, YELLOW, GREEN, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[0m"
COLOURS = {"ok": GREEN, "degraded": YELLOW, "down": RED}
UNITS = ((1 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB"))

NOW: LiteralString = """
    SELECT app.clock() AS at, current_database() AS database, platform.health() AS health,
           (SELECT count(*) FROM app.workers AS w WHERE w.status = 'alive' AND w.last_beat > app.clock() - interval '1 minute') AS alive,
           (SELECT count(*) FROM app.workers AS w WHERE w.status = 'dead' AND w.last_beat > app.clock() - interval '1 hour') AS died,
           (SELECT count(*) FROM app.ready_stages) AS ready, (SELECT count(*) FROM app.parked_stages) AS parked,
           (SELECT count(*) FROM platform.webhook_deliveries AS d WHERE d.status IN ('pending', 'failed')) AS owed,
           (SELECT count(*) FROM platform.webhook_deliveries AS d WHERE d.status = 'dead') AS dead_webhooks
"""
PAUSED: LiteralString = """
    SELECT 'type ' || task_type AS what, reason FROM app.paused_task_types
    UNION ALL SELECT 'client ' || client_id, reason FROM app.paused_clients ORDER BY 1
"""
JANITOR: LiteralString = """
    SELECT app.clock() - started_at AS ago, completed_at - started_at AS took, error,
           workers_declared_dead, tasks_reclaimed, stages_repaired
      FROM app.janitor_runs WHERE NOT skipped ORDER BY run_id DESC LIMIT 1
"""
REQUESTS: LiteralString = """
    SELECT request_id, client_id, request_type::text AS type, dataset_id || '/' || resource_id || '/' || version_id AS resource,
           status::text AS status, progress_percent AS percent, app.clock() - created_at AS age
      FROM platform.requests WHERE status IN ('pending', 'processing') ORDER BY created_at LIMIT %(rows)s
"""
# The oldest of each open status; newest first is what list_jobs is for.
JOBS: LiteralString = """
    SELECT j.job_id, j.job_type, p.stage, p.total_stages, p.stage_name, p.tasks, p.completed, p.failed, p.fraction,
           app.clock() - j.created_at AS age
      FROM (SELECT * FROM app.jobs WHERE status IN ('pending', 'processing') ORDER BY created_at LIMIT %(rows)s) AS j
     CROSS JOIN LATERAL app.job_progress(j.job_id) AS p ORDER BY j.created_at
"""
RUNNING: LiteralString = "SELECT * FROM app.running_tasks() LIMIT %(rows)s"
WAITING: LiteralString = "SELECT * FROM app.waiting(%(rows)s)"
STUCK: LiteralString = "SELECT * FROM app.stuck_jobs() LIMIT %(rows)s"
THROUGHPUT: LiteralString = "SELECT * FROM app.throughput('15 minutes') LIMIT %(rows)s"
DEAD_LETTERS: LiteralString = "SELECT * FROM app.dead_letters(limit_rows => %(rows)s) WHERE failed_at > app.clock() - interval '1 day'"
TABLES: LiteralString = "SELECT * FROM app.queue_health() LIMIT 4"
TRANSACTIONS: LiteralString = "SELECT * FROM app.transactions() WHERE open_for > interval '1 minute' OR kind = 'hold' LIMIT 3"


@dataclass(frozen=True)
class Column:
    """A column of a section: its heading and width; numbers stand to the right."""

    heading: str
    width: int
    right: bool = False

    @classmethod
    def of(cls, text: str) -> Column:
        *heading, width = text.split()
        return cls(" ".join(heading), int(width.lstrip(">")), width.startswith(">"))

    def cell(self, value: object) -> str:
        text = one_line("-" if value is None else str(value))
        if len(text) > self.width:
            text = text[: self.width - 1] + "…"
        return text.rjust(self.width) if self.right else text.ljust(self.width)


def one_line(text: str) -> str:
    """Without what moves a terminal's cursor: names and errors come from strangers."""
    return "".join(character if character.isprintable() else " " for character in text)


def duration(span: timedelta | None) -> str:
    """A span in at most six characters: 35ms, 2.4s, 3m10s, 2h05m, 4d."""
    if span is None:
        return "-"
    seconds = span.total_seconds()
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    if seconds < 1:
        text = f"{seconds * 1000:.0f}ms"
    elif seconds < 60:
        text = f"{seconds:.1f}s"
    elif seconds < 3600:
        text = f"{seconds // 60:.0f}m{seconds % 60:02.0f}s"
    elif seconds < 86400:
        text = f"{seconds // 3600:.0f}h{seconds % 3600 // 60:02.0f}m"
    else:
        text = f"{seconds // 86400:.0f}d"
    return sign + text


def size(count: int) -> str:
    """Bytes, for people."""
    for unit, name in UNITS:
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


def bar(fraction: float | None, width: int = 10) -> str:
    """How far, as a bar."""
    full = round(min(max(fraction or 0.0, 0.0), 1.0) * width)
    return "█" * full + "░" * (width - full)


def count(number: int) -> str:
    """A number, its thousands apart."""
    return f"{number:,}"


def section(title: str, layout: str, rows: Iterable[list[object]]) -> Iterator[str]:
    """A heading and its rows; nothing where there are none. The layout names each column, and how wide it is; > puts it to the right."""
    columns = [Column.of(text) for text in layout.split("|")]
    lines = ["  " + " ".join(column.cell(value) for column, value in zip(columns, row, strict=True)).rstrip() for row in rows]
    if lines:
        yield ""
        yield f"{BOLD}{title}{PLAIN}"
        yield DIM + "  " + " ".join(column.cell(column.heading) for column in columns).rstrip() + PLAIN
        yield from lines


def report(connection: psycopg.Connection[DictRow]) -> Iterator[str]:
    """The lines of one look."""

    def rows(query: LiteralString, most: int = ROWS) -> list[DictRow]:
        return connection.execute(query, {"rows": most}).fetchall()

    now = rows(NOW)[0]
    running = rows(RUNNING)
    yield from _head(now, rows(PAUSED), rows(JANITOR), len(running))
    yield from section(
        "Stuck",
        "job 12 | type 20 | since >6 | why 30 | what to do 25",
        ([r["job_id"][:12], r["job_type"], duration(now["at"] - r["since"]), r["reason"], r["remedy"]] for r in rows(STUCK)),
    )
    yield from section(
        "Open requests, oldest first",
        "request 12 | client 10 | type 10 | resource 31 | status 10 | 10 | age >6",
        (
            [r["request_id"][:12], r["client_id"], r["type"], r["resource"], r["status"], bar(r["percent"] / 100), duration(r["age"])]
            for r in rows(REQUESTS)
        ),
    )
    yield from section(
        "Open jobs, oldest first",
        "job 12 | type 22 | stage 22 | done >17 | 10 | age >6",
        ([r["job_id"][:12], r["job_type"], _stage(r), _done(r), bar(r["fraction"]), duration(r["age"])] for r in rows(JOBS)),
    )
    yield from section(
        "Running, longest first",
        "task type 22 | index >8 | for >6 | until >7 | try >3 | worker 32 | beat >6 | 5",
        (
            [r["task_type"], r["task_index"], duration(r["running_for"]), duration(r["overdue_in"]), r["attempt"], *_holder(r)]
            for r in running
        ),
    )
    yield from section(
        "Waiting, in the order of claiming",
        "job 12 | task type 22 | ready >9 | delayed >9 | age >6 | for 35",
        (
            [
                r["job_id"][:12],
                r["task_type"],
                count(r["ready"]),
                count(r["delayed"]),
                duration(now["at"] - r["waiting_since"]),
                _waits_for(r, now["at"]),
            ]
            for r in rows(WAITING)
        ),
    )
    throughput = rows(THROUGHPUT)
    yield from section(
        "Last 15 minutes, counted until " + (f"{throughput[0]['counted_until'].astimezone(UTC):%H:%M:%S}" if throughput else ""),
        "task type 22 | done >9 | failed >7 | retried >7 | a minute >9 | run p50 >7 | p95 >6 | wait p50 >8 | p95 >6",
        (
            [r["task_type"], count(r["completed"]), count(r["failed"]), count(r["retried"]), f"{r['per_minute']:,.1f}", *_times(r)]
            for r in throughput
        ),
    )
    yield from section(
        "Dead letters of the last day, newest first",
        "task >14 | task type 18 | ago >6 | code 20 | message 36",
        ([r["task_id"], r["task_type"], duration(now["at"] - r["failed_at"]), r["code"], r["message"]] for r in rows(DEAD_LETTERS, 4)),
    )
    yield from section(
        "Transactions that are open for long, and holds",
        "pid >7 | kind 11 | for >6 | login 18 | application 24 | state 27",
        ([r["pid"], r["kind"], duration(r["open_for"]), r["login"], r["application"], r["state"]] for r in rows(TRANSACTIONS)),
    )
    yield from section(
        "Largest tables of the queue",
        "table 14 | rows >12 | dead >12 | size >10 | indexes >10 | heap-only >9 | vacuumed >12",
        ([r["table_name"], count(r["live_rows"]), count(r["dead_rows"]), *_upkeep(r, now["at"])] for r in rows(TABLES)),
    )


def _head(now: DictRow, paused: list[DictRow], janitor: list[DictRow], running: int) -> Iterator[str]:
    health = now["health"]
    yield (
        f"{BOLD}geomill {health['version']}{PLAIN} · {now['database']} · {now['at'].astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        f" · {COLOURS[health['status']]}{health['status']}{PLAIN}"
    )
    for name, component in sorted(health["components"].items()):
        if component["status"] != "ok":
            words = f"{name} {component['status']}"
            remedy = one_line(component["remedy"] or "see platform.health()")
            yield f"  {COLOURS[component['status']]}{words}{PLAIN}: {remedy[: WIDTH - len(words) - 4]}"
    yield ""
    requests, queue = health["requests"], health["components"]["queue"]["metric"]
    more = "+" if running == ROWS else ""
    died = f"{RED}{now['died']} died in the last hour{PLAIN}" if now["died"] else "none died in the last hour"
    yield f"  Requests  {requests['pending']} pending · {requests['processing']} processing"
    yield f"  Queue     {queue['open_stages']} stages open · {now['ready']} to be claimed from · {now['parked']} parked"
    yield f"  Workers   {now['alive']} alive, {running}{more} tasks running · {died}"
    dead = f"{RED}{now['dead_webhooks']} dead{PLAIN}" if now["dead_webhooks"] else "none dead"
    yield f"  Webhooks  {now['owed']} owed · {dead}"
    for run in janitor:
        words = f"ran {duration(run['ago'])} ago for {duration(run['took'])} · {run['workers_declared_dead']} workers dead"
        words += f" · {run['tasks_reclaimed']} tasks taken back · {run['stages_repaired']} stages repaired"
        yield f"  Janitor   {words}" + (f"\n            {RED}{one_line(run['error'])[: WIDTH - 12]}{PLAIN}" if run["error"] else "")
    for pause in paused:
        yield f"  {YELLOW}Paused{PLAIN}    {one_line(pause['what'] + ': ' + pause['reason'])[: WIDTH - 12]}"


def _stage(job: DictRow) -> str:
    return f"{job['stage']}/{job['total_stages']} {job['stage_name']}"


def _done(job: DictRow) -> str:
    failed = f" ({job['failed']:,}✗)" if job["failed"] else ""
    return f"{job['completed']:,}/{job['tasks']:,}{failed}" if job["tasks"] is not None else ""


def _holder(task: DictRow) -> list[object]:
    return [task["worker_id"], duration(task["last_beat_ago"]), "" if task["worker_status"] == "alive" else task["worker_status"]]


def _times(of_type: DictRow) -> list[object]:
    return [duration(of_type[which]) for which in ("run_p50", "run_p95", "wait_p50", "wait_p95")]


def _upkeep(table: DictRow, now: datetime) -> list[object]:
    hot = None if table["hot_percent"] is None else f"{table['hot_percent']} %"
    return [size(table["table_bytes"]), size(table["index_bytes"]), hot, _ago(now, table["last_vacuum"])]


def _waits_for(stage: DictRow, at: datetime) -> str:
    if stage["waits_for"] == "its turn":
        return "its turn" if stage["place"] is None else f"its turn, {stage['place']} before it"
    if stage["not_before"] is not None and stage["not_before"] > at:
        return f"{stage['waits_for']}, in {duration(stage['not_before'] - at)}"
    return str(stage["waits_for"])


def _ago(now: datetime, then: datetime | None) -> str:
    return "never" if then is None else duration(now - then) + " ago"


def look(connection: psycopg.Connection[DictRow]) -> list[str]:
    """All lines of one look, in one snapshot."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute("SET LOCAL statement_timeout = '5s'")
        return [line for piece in report(connection) for line in piece.split("\n")]


def watch(connection: psycopg.Connection[DictRow], every: float) -> None:
    """Refresh on a screen of its own until Ctrl-C."""
    sys.stdout.write("\x1b[?1049h\x1b[?25l")
    try:
        while True:
            try:
                lines = look(connection)
            except psycopg.errors.QueryCanceled:
                lines = [f"{YELLOW}the server did not answer within five seconds{PLAIN}"]
            height = shutil.get_terminal_size().lines
            if len(lines) > height:
                lines = [*lines[: height - 1], f"{DIM}{len(lines) - height + 1} more lines: make status ARGS=--once{PLAIN}"]
            sys.stdout.write("\x1b[H" + "\n".join(f"{line}\x1b[K" for line in lines) + "\x1b[J")
            sys.stdout.flush()
            time.sleep(every)
    finally:
        sys.stdout.write("\x1b[?25h\x1b[?1049l")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ops.status", description="What is going on.")
    parser.add_argument("--once", action="store_true", help="print it once, as where the output is no terminal")
    parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="how often to look; default 2")
    parser.add_argument("--role", default="owner", help="whose connection string to use; default owner")
    parsed = parser.parse_args(arguments)
    try:
        with connect_to(resolve_dsn(as_role(parsed.role)), application_name="geomill status") as plain:
            connection: psycopg.Connection[Any] = plain
            connection.row_factory = dict_row
            if sys.stdout.isatty() and not parsed.once:
                watch(connection, max(parsed.every, 0.2))
            coloured = sys.stdout.isatty()
            for line in look(connection):
                print(line if coloured else _without_colour(line))
    except RefusedError as refusal:
        print(f"geomill: {refusal}", file=sys.stderr)
        return 1
    except psycopg.Error as error:
        print(f"geomill: {str(error).strip()}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _without_colour(line: str) -> str:
    for code in (BOLD, DIM, RED, YELLOW, GREEN, PLAIN):
        line = line.replace(code, "")
    return line


if __name__ == "__main__":
    sys.exit(main())
