"""Schemas wiped and made again, with nothing of platform, geo, h3 or public lost: rebuild, redeploy-app, redeploy-pgstac.

  rebuild           app and pgstac
  redeploy-app      app alone
  redeploy-pgstac   pgstac alone
  stac-clear        the catalogue emptied: of its items, or of everything

Each says what it would do and whom it concerns, and changes nothing until it is confirmed. The first three go through phases,
each committed before the next begins, and platform.rebuilds says which was the last: whatever ends a run, the same command
takes it up where it stood.

  wiped         codegen/wipe.py: dropped, app made again, requests ended, webhooks and removals taken up; one transaction
  made          codegen/deploy.py: pgstac migrated by its own process, rights, and whatever else is missing
  republished   codegen/republish.py: collections and items, from what platform keeps of them
  done          verified

In production none of them runs, and no flag opens that: whoever means it says so by another GEOMILL_ENVIRONMENT.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg.types.json import Jsonb

from codegen import deploy, impact, pgstac, verify
from codegen.connection import connect_to
from codegen.deploy import Report
from codegen.impact import Impact
from codegen.refusal import RefusedError
from codegen.republish import republish
from codegen.settings import settings
from codegen.templates import LOCKS
from codegen.version import version
from codegen.wipe import wipe

Kind = Literal["rebuild", "redeploy-app", "redeploy-pgstac"]
Mode = Literal["items", "all"]

SCHEMAS: dict[Kind, tuple[str, ...]] = {"rebuild": ("app", "pgstac"), "redeploy-app": ("app",), "redeploy-pgstac": ("pgstac",)}

DIFFERENT = 2
"""Exit status where it ended, but not everything is as it was."""


@dataclass(frozen=True)
class Asked:
    """How a command is to be run."""

    confirmed: bool = False
    dry_run: bool = False
    force: bool = False
    with_cron: bool = True


def rebuild(kind: Kind, dsn: str, asked: Asked, report: Report) -> int:
    """Wipe and make again what `kind` names; the exit status."""
    _refuse_in_production(kind)
    with connect_to(dsn, application_name=f"geomill {kind}") as connection:
        _alone(connection, kind)
        phase = _phase(connection, kind)
        if phase is None:
            found = impact.of_wipe(connection, SCHEMAS[kind])
            _tell(kind, f"{' and '.join(SCHEMAS[kind])} would be dropped and made again in {deploy.describe(dsn)}", found, report)
            if asked.dry_run:
                return 0
            _refuse_obstacles(kind, found, asked)
        else:
            report(f"an earlier {kind} ended after phase {phase!r}; this one goes on from there")
            if asked.dry_run:
                return 0
        if not asked.confirmed:
            raise _unconfirmed(kind, f"make {kind} CONFIRM=yes")
        if phase is None:
            wipe(connection, kind, SCHEMAS[kind], report, force=asked.force)
            phase = "wiped"
        if phase == "wiped":
            deploy.deploy(dsn, report, with_cron=asked.with_cron)
            phase = _reached(connection, "made")
        if phase == "made":
            missing = republish(connection, report) if "pgstac" in SCHEMAS[kind] else []
            _reached(connection, "republished", missing=[str(one) for one in missing])
        different = verify.verify(dsn, report, with_cron=asked.with_cron)
        left = _end(connection, different)
    for line in (*different, *left):
        report(line)
    report(f"{kind} ended, and not everything is as it was" if different or left else f"{kind} done, and verified")
    return DIFFERENT if different or left else 0


def clear(mode: Mode, dsn: str, asked: Asked, report: Report) -> int:
    """Empty the catalogue. What was published stays kept, so that redeploy-pgstac brings it back; the exit status."""
    _refuse_in_production("stac-clear")
    with connect_to(dsn, application_name="geomill stac-clear") as connection:
        _alone(connection, "stac-clear")
        _refuse_unfinished(connection, "stac-clear")
        found = impact.of_clearing(connection, mode)
        _tell("stac-clear", f"the catalogue would be emptied in {deploy.describe(dsn)}", found, report)
        if asked.dry_run:
            return 0
        _refuse_obstacles("stac-clear", found, asked)
        if not asked.confirmed:
            raise _unconfirmed("stac-clear", f"make stac-clear MODE={mode} CONFIRM=yes")
        with connection.transaction():
            # Takes the lock that every writer of the catalogue takes.
            connection.execute("SELECT app.stac_keep()")
            items = connection.execute("DELETE FROM pgstac.items").rowcount
            collections = connection.execute("SELECT pgstac.delete_collection(id) FROM pgstac.collections").rowcount if mode == "all" else 0
            made = pgstac.ensure_collections(connection)
            connection.execute(
                """
                INSERT INTO platform.rebuilds (kind, phase, requested_by, software_version, report, completed_at)
                VALUES ('stac-clear', 'done', %s, %s, %s, clock_timestamp())
                """,
                [connection.info.user, version(), Jsonb({"mode": mode, "items": items, "collections": collections})],
            )
    report(f"{items} items and {collections} collections are gone; `make redeploy-pgstac CONFIRM=yes` publishes them again")
    if made:
        report(f"made again, for clients publish into them: {', '.join(made)}")
    return 0


def _refuse_in_production(command: str) -> None:
    if settings().environment == "prod":
        raise RefusedError(
            command,
            "this environment is marked production (GEOMILL_ENVIRONMENT=prod), and no flag opens that",
            "where it is not production after all, set GEOMILL_ENVIRONMENT=dev or test for this one command",
        )


def _alone(connection: psycopg.Connection[Any], command: str) -> None:
    """One of these commands at a time in a database: the lock is the connection's, and goes with the process."""
    connection.execute("SET lock_timeout = '10s'")
    try:
        connection.execute("SELECT pg_advisory_lock(%s, 0)", [LOCKS["rebuild"]])
    except psycopg.errors.LockNotAvailable as error:
        raise RefusedError(command, "another rebuild, redeploy or stac-clear is under way in this database", "wait for its end") from error
    finally:
        connection.execute("RESET lock_timeout")


def _phase(connection: psycopg.Connection[Any], kind: Kind) -> str | None:
    """The phase that an unfinished run of this command reached; None where there is none."""
    unfinished = _unfinished(connection)
    if unfinished is None:
        return None
    if unfinished[0] != kind:
        _refuse_unfinished(connection, kind)
    return unfinished[1]


def _unfinished(connection: psycopg.Connection[Any]) -> tuple[str, str] | None:
    """Command and phase of the run that has not come to its end."""
    (there,) = connection.execute("SELECT to_regclass('platform.rebuilds') IS NOT NULL").fetchall()[0]
    return connection.execute("SELECT kind, phase FROM platform.rebuilds WHERE completed_at IS NULL").fetchone() if there else None


def _refuse_unfinished(connection: psycopg.Connection[Any], command: str) -> None:
    if unfinished := _unfinished(connection):
        kind, phase = unfinished
        raise RefusedError(command, f"a {kind} has not come to its end (phase {phase!r})", f"run `make {kind} CONFIRM=yes` first")


def _reached(connection: psycopg.Connection[Any], phase: str, **more: Any) -> str:
    connection.execute("UPDATE platform.rebuilds SET phase = %s, report = report || %s WHERE completed_at IS NULL", [phase, Jsonb(more)])
    return phase


def _end(connection: psycopg.Connection[Any], different: Sequence[str]) -> list[str]:
    """The row reaches its end; what could not be published again, as an earlier run may have found."""
    row = connection.execute(
        """
        UPDATE platform.rebuilds SET phase = 'done', completed_at = clock_timestamp(), report = report || %s
         WHERE completed_at IS NULL RETURNING coalesce(report -> 'missing', '[]')
        """,
        [Jsonb({"different": list(different)})],
    ).fetchone()
    return list(row[0]) if row else []


def _tell(command: str, what: str, found: Impact, report: Report) -> None:
    report(f"{command}: {what}")
    for line in found.lines:
        report(f"  {line}")
    for line in found.running:
        report(f"  running: {line}")
    for line in found.obstacles:
        report(f"  in the way: {line}")


def _refuse_obstacles(command: str, found: Impact, asked: Asked) -> None:
    if found.obstacles:
        raise RefusedError(command, "; ".join(found.obstacles), "nothing was changed")
    if found.running and not asked.force:
        raise RefusedError(
            command,
            f"{len(found.running)} tasks or holds are running (listed above)",
            "nothing was changed; let them end (stop the workers, or app.pause_task_type), or give --force (ARGS=--force): then what "
            "they have done so far is lost, and where app is wiped their requests end as failed",
        )


def _unconfirmed(command: str, how: str) -> RefusedError:
    return RefusedError(command, "nothing was changed: it was not confirmed", f"`{how}`, or --confirm")
