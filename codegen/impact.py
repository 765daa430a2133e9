"""What a wipe would take away, end and start again, by name and by number; and what stands in its way.

Read before anything is changed, and shown to whoever has to decide. What cannot be read, because the schema is the very thing
that is broken, is said and is no obstacle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

NAMED = 20
"""How many of a kind are named one by one."""

NEEDED = ("platform.requests", "platform.rebuilds", "platform.published_items", "platform.published_collections")
"""Tables of platform that a wipe keeps its record and the catalogue in."""

Read = Callable[[psycopg.Connection[Any]], Iterable[str]]


@dataclass
class Impact:
    """What would happen, for people, and why it must not."""

    lines: list[str] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)
    """What no flag removes."""
    running: list[str] = field(default_factory=list)
    """Running tasks and open holds: --force ends them."""


def of_wipe(connection: psycopg.Connection[Any], schemas: Sequence[str]) -> Impact:
    """What it means to drop and make again these of the schemas app and pgstac."""
    impact = Impact(obstacles=_obstacles(connection, schemas))
    if impact.obstacles:
        return impact
    reads: list[Read] = []
    if "app" in schemas:
        reads += [_jobs, _requests_that_end, _jobs_of_nobody, _started_again, _ids_without_jobs]
    if "pgstac" in schemas:
        reads += [_catalogue, _published_again]
    elif "app" in schemas:
        reads += [_items_without_jobs]
    for read in reads:
        impact.lines += _tolerantly(connection, read)
    impact.running = _tolerantly(connection, running)
    return impact


def of_clearing(connection: psycopg.Connection[Any], mode: str) -> Impact:
    """What it means to empty the catalogue: of its items, or of everything."""
    impact = Impact(obstacles=_obstacles(connection, []))
    if not impact.obstacles:
        impact.lines += _tolerantly(connection, _catalogue)
        impact.lines += _tolerantly(connection, _left_pointing_at_nothing)
        impact.lines.append("collections stay" if mode == "items" else "collections go, too, but clients' own two come again, empty")
    return impact


def running(connection: psycopg.Connection[Any]) -> list[str]:
    """Tasks that are being worked on, and transactions that hold one."""
    found = [
        f"task {task} (attempt {attempt}) {task_type} of job type {job_type}, on worker {worker} since {since:%H:%M:%S}"
        + (f", for request {request}" if request else "")
        for task, attempt, task_type, job_type, worker, since, request in connection.execute(
            """
            SELECT t.task_id, t.attempt, t.task_type, j.job_type, w.worker_id, t.started_at, j.platform_request_id
              FROM app.tasks AS t
              JOIN app.stages AS s ON s.stage_id = t.stage_id
              JOIN app.jobs AS j ON j.job_id = s.job_id
              LEFT JOIN app.workers AS w ON w.worker_key = t.worker_key
             WHERE t.status = 'processing'
             ORDER BY t.task_id
            """
        )
    ]
    return found + [f"the open transaction of backend {pid} ({name}) holds a task" for pid, name in holds(connection)]


def holds(connection: psycopg.Connection[Any]) -> list[tuple[int, str]]:
    """Backends of this database that hold a task, with the name of their application (db/functions/app/open_holds.sql.j2)."""
    return connection.execute(
        """
        SELECT DISTINCT l.pid, a.application_name
          FROM pg_catalog.pg_locks AS l
          JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
         WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.classid::bigint >= 2147483648 AND l.granted
           AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
         ORDER BY l.pid
        """
    ).fetchall()


def _obstacles(connection: psycopg.Connection[Any], schemas: Sequence[str]) -> list[str]:
    missing = [row[0] for row in connection.execute("SELECT t FROM unnest(%s::text[]) AS t WHERE to_regclass(t) IS NULL", [list(NEEDED)])]
    if missing:
        return [f"{', '.join(missing)} is missing: run `make deploy` first"]
    found = [
        f"{thing} needs what would be dropped, and is not geomill's: drop it or move it first" for thing in strangers(connection, schemas)
    ]
    (knows,) = connection.execute("SELECT to_regprocedure('app.stac_keep(boolean)') IS NOT NULL").fetchall()[0]
    if not knows and "app" not in schemas:
        found.append("app.stac_keep is missing: run `make deploy` first")
    return found


def strangers(connection: psycopg.Connection[Any], schemas: Sequence[str]) -> list[str]:
    """Things outside app, platform and pgstac that a DROP … CASCADE of the schemas would take with it."""
    rows = connection.execute(
        """
        WITH RECURSIVE doomed (classid, objid, objsubid) AS (
            SELECT 'pg_namespace'::regclass::oid, n.oid, 0 FROM pg_catalog.pg_namespace AS n WHERE n.nspname = ANY (%s)
            UNION
            SELECT d.classid, d.objid, d.objsubid
              FROM doomed AS x
              JOIN pg_catalog.pg_depend AS d
                ON d.refclassid = x.classid AND d.refobjid = x.objid AND (x.objsubid = 0 OR d.refobjsubid = x.objsubid)
        )
        SELECT DISTINCT i.type || ' ' || i.identity
          FROM doomed AS x
         CROSS JOIN LATERAL pg_catalog.pg_identify_object(x.classid, x.objid, x.objsubid) AS i
         CROSS JOIN LATERAL pg_catalog.pg_identify_object_as_address(x.classid, x.objid, x.objsubid) AS a
         WHERE i.type NOT IN ('default acl', 'schema')
           AND coalesce(i.schema, a.object_names[1]) NOT IN ('app', 'platform', 'pgstac')
           AND coalesce(i.schema, '') !~ '^pg_(toast|temp)'
         ORDER BY 1
        """,
        [list(schemas)],
    )
    return [row[0] for row in rows]


def _jobs(connection: psycopg.Connection[Any]) -> Iterable[str]:
    counted = _counts(connection, "SELECT status::text, count(*) FROM app.jobs GROUP BY 1 ORDER BY 1")
    yield f"jobs of schema app, with their stages, tasks, results and errors: {counted}"
    for what, statement in (
        ("workers, which register again", "SELECT count(*) FROM app.workers WHERE status = 'alive'"),
        ("calls of the API, which usage is counted from", "SELECT count(*) FROM app.api_requests"),
    ):
        yield f"{what}: {_one(connection, statement)}"


def _requests_that_end(connection: psycopg.Connection[Any]) -> Iterable[str]:
    rows = connection.execute(
        """
        SELECT format('%s (%s / %s / %s of %s, %s)', r.request_id, r.dataset_id, r.resource_id, r.version_id, r.client_id, r.status)
          FROM platform.requests AS r WHERE r.status IN ('pending', 'processing') ORDER BY r.created_at, r.request_id
        """
    )
    yield from _named("requests under way, which end as failed and can be retried", [row[0] for row in rows])


def _jobs_of_nobody(connection: psycopg.Connection[Any]) -> Iterable[str]:
    counted = _counts(
        connection,
        """
        SELECT j.job_type, count(*) FROM app.jobs AS j
         WHERE j.platform_request_id IS NULL AND j.status IN ('pending', 'processing')
           AND j.job_type <> ALL (ARRAY['discard_artefacts', 'deliver_webhook']) AND j.job_type NOT LIKE 'unpublish%'
         GROUP BY 1 ORDER BY 1
        """,
    )
    yield f"open jobs that serve no request, and are lost: {counted}"


def _started_again(connection: psycopg.Connection[Any]) -> Iterable[str]:
    deliveries = _one(connection, "SELECT count(*) FROM platform.webhook_deliveries WHERE status IN ('pending', 'failed')")
    yield f"webhooks that are owed, and get new jobs: {deliveries}"
    rows = connection.execute(
        "SELECT request_id FROM platform.requests WHERE unpublish_revision IS NOT NULL AND status <> 'unpublished' ORDER BY request_id"
    )
    yield from _named("requests that were asked to be unpublished, whose removal begins again", [row[0] for row in rows])


def _ids_without_jobs(connection: psycopg.Connection[Any]) -> Iterable[str]:
    ids = _one(connection, "SELECT count(*) FROM platform.request_jobs WHERE job_id IS NOT NULL")
    yield f"job ids in platform.request_jobs that will name no job any more: {ids}"


def _items_without_jobs(connection: psycopg.Connection[Any]) -> Iterable[str]:
    items = _one(connection, "SELECT count(*) FROM platform.published_items WHERE request_id IS NOT NULL")
    yield f"STAC items whose geomill:job_id will name no job any more: {items}"


def _catalogue(connection: psycopg.Connection[Any]) -> Iterable[str]:
    rows = connection.execute(
        """
        SELECT format('%s (%s items)', c.id, (SELECT count(*) FROM pgstac.items AS i WHERE i.collection = c.id))
          FROM pgstac.collections AS c ORDER BY c.id
        """
    )
    yield from _named("collections of schema pgstac, with their items", [row[0] for row in rows])
    searches = _one(connection, "SELECT count(*) FROM pgstac.searches")
    yield f"searches registered in pgstac, to be registered again by whoever needs them: {searches}"


def _published_again(connection: psycopg.Connection[Any]) -> Iterable[str]:
    only_there = _one(
        connection,
        """
        SELECT count(*) FROM pgstac.items AS i
         WHERE NOT EXISTS (SELECT FROM platform.published_items AS p WHERE p.collection = i.collection AND p.item_id = i.id)
        """,
    )
    kept = _one(connection, "SELECT count(*) FROM platform.published_items")
    yield f"items that are published again: {kept} kept in platform, {only_there} to be copied from pgstac first"


def _left_pointing_at_nothing(connection: psycopg.Connection[Any]) -> Iterable[str]:
    rows = connection.execute(
        """
        SELECT format('%s (%s / %s / %s of %s)', r.request_id, r.dataset_id, r.resource_id, r.version_id, r.client_id)
          FROM platform.requests AS r
         WHERE r.published_revision IS NOT NULL AND coalesce(r.endpoints -> 'stac_item', r.endpoints -> 'stac_collection') IS NOT NULL
         ORDER BY r.created_at, r.request_id
        """
    )
    yield from _named(
        "requests whose STAC endpoints will point at nothing until `make redeploy-pgstac CONFIRM=yes`", [row[0] for row in rows]
    )


def _tolerantly(connection: psycopg.Connection[Any], read: Read) -> list[str]:
    try:
        with connection.transaction():
            return list(read(connection))
    except (psycopg.ProgrammingError, psycopg.InternalError) as error:
        return [f"could not be read, for the schema is not as it should be: {str(error).splitlines()[0]}"]


def _named(what: str, names: Sequence[str]) -> Iterable[str]:
    yield f"{what}: {len(names) or 'none'}"
    for name in names[:NAMED]:
        yield f"  {name}"
    if len(names) > NAMED:
        yield f"  … and {len(names) - NAMED} more"


def _counts(connection: psycopg.Connection[Any], statement: str) -> str:
    rows = connection.execute(statement.encode()).fetchall()
    return ", ".join(f"{count} {label}" for label, count in rows) or "none"


def _one(connection: psycopg.Connection[Any], statement: str) -> int:
    (row,) = connection.execute(statement.encode()).fetchall()
    return int(row[0])
