"""The engine beside other queues in PostgreSQL, each with the statements that it sends itself.

Each peer's own package makes its schema and says its statements; pgbench sends them, prepared, as it sends the engine's. What runs
around them in the peer's own process (Python, Node) is left out, in the peer's favour; so is what they do not do: no fan-in, no
fencing, no results. They are installed below GEOMILL_HOME and are no part of geomill.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bench.engine import Case, engine_run, fill_engine, median
from bench.pgbench import Run, pgbench
from codegen.connection import home

_HERE = Path(__file__).resolve().parent
_BATCH = 50
# Where a peer's client would read rows, pgbench takes them as variables.
_PGQUEUER_ANSWER = """
SELECT coalesce(array_agg(id), '{}')::text AS ids, array_fill('successful'::text, ARRAY[count(*)::integer])::text AS ends,
       array_fill(NULL::text, ARRAY[count(*)::integer])::text AS traces FROM claimed
"""
_GRAPHILE_ANSWER = ") SELECT coalesce(array_agg(id), '{}')::text AS ids FROM u"
_GRAPHILE_TASKS = "(SELECT array_agg(id) FROM graphile_worker._private_tasks)"
_CLIENTS = 4


class Peer(Protocol):
    """A queue: how it is installed, filled, and driven."""

    @property
    def name(self) -> str: ...

    @property
    def batch(self) -> int: ...

    def install(self, dsn: str) -> None: ...

    def fill(self, connection: psycopg.Connection[Any], tasks: int) -> None: ...

    def script(self) -> str: ...


@dataclass(frozen=True)
class _Pgqueuer:
    python: Path
    name: str = "pgqueuer 1.6.0"
    batch: int = _BATCH

    def _statements(self) -> dict[str, str]:
        done = subprocess.run(
            [self.python, _HERE / "pgqueuer_statements.py", str(self.batch)], capture_output=True, text=True, check=True
        )  # fmt: skip
        return dict(json.loads(done.stdout))

    def install(self, dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(self._statements()["install"].encode())

    def fill(self, connection: psycopg.Connection[Any], tasks: int) -> None:
        connection.execute("TRUNCATE pgqueuer, pgqueuer_log")
        connection.execute(
            "INSERT INTO pgqueuer (priority, entrypoint, status) SELECT 0, 'bench', 'queued' FROM generate_series(1, %s)", (tasks,)
        )
        connection.execute("VACUUM ANALYZE pgqueuer")

    def script(self) -> str:
        said = self._statements()
        claim = said["claim"].rstrip().rstrip(";")
        claim = _bound(
            claim[: claim.rindex("SELECT * FROM claimed")] + _PGQUEUER_ANSWER,
            str(self.batch), "'{bench}'", "'00000000-0000-0000-0000-000000000001'::uuid", "'30 seconds'",
        )  # fmt: skip
        return f"{_lines(claim)} \\gset\n{_lines(_bound(said['complete'], ':ids', ':ends', ':traces'))};\n"


@dataclass(frozen=True)
class _Procrastinate:
    """It has no batch: a claim is of one."""

    python: Path
    name: str = "procrastinate 3.10.0"
    batch: int = 1

    def install(self, dsn: str) -> None:
        where = "import procrastinate, pathlib; print(pathlib.Path(procrastinate.__file__).parent / 'sql' / 'schema.sql')"
        done = subprocess.run([self.python, "-c", where], capture_output=True, text=True, check=True)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(Path(done.stdout.strip()).read_bytes())

    def fill(self, connection: psycopg.Connection[Any], tasks: int) -> None:
        connection.execute("TRUNCATE procrastinate_jobs, procrastinate_events CASCADE")
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name) SELECT 'bench', 'bench' FROM generate_series(1, %s)", (tasks // 10,)
        )
        connection.execute("VACUUM ANALYZE procrastinate_jobs")

    def script(self) -> str:
        return (
            "SELECT id FROM procrastinate_fetch_job_v2('{bench}'::varchar[], NULL) \\gset\n"
            "SELECT procrastinate_finish_job_v1(:id, 'succeeded', false);\n"
        )


@dataclass(frozen=True)
class _Graphile:
    folder: Path
    name: str = "graphile-worker 0.17.3"
    batch: int = _BATCH

    def install(self, dsn: str) -> None:
        named = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
        environment = {named[key]: str(value) for key, value in conninfo_to_dict(dsn).items() if key in named}
        command = ["npx", "graphile-worker", "--schema-only"]
        subprocess.run(command, cwd=self.folder, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL)

    def fill(self, connection: psycopg.Connection[Any], tasks: int) -> None:
        connection.execute("TRUNCATE graphile_worker._private_jobs")
        connection.execute("INSERT INTO graphile_worker._private_tasks (identifier) VALUES ('bench') ON CONFLICT DO NOTHING")
        connection.execute(
            "INSERT INTO graphile_worker._private_jobs (task_id)"
            " SELECT t.id FROM graphile_worker._private_tasks AS t, generate_series(1, %s)",
            (tasks,),
        )
        connection.execute("VACUUM ANALYZE graphile_worker._private_jobs")

    def script(self) -> str:
        done = subprocess.run(["node", "graphile.js", str(self.batch)], cwd=self.folder, capture_output=True, text=True, check=True)
        said = json.loads(done.stdout)
        start = said["claim"].rindex("update ")
        update = said["claim"][start:].replace("returning *", "returning jobs.id")
        claim = _bound(f"{said['claim'][:start].rstrip()}, u as ({update}{_GRAPHILE_ANSWER}", "'bench'", _GRAPHILE_TASKS)
        return f"{_lines(claim)} \\gset\n{_lines(_bound(said['complete'], ':ids'))};\n"


def _bound(statement: str, *values: str) -> str:
    for position, value in enumerate(values, start=1):
        statement = statement.replace(f"${position}", value)
    return statement


def _lines(statement: str) -> str:
    """Without comments, on one line, as pgbench's \\gset wants it."""
    return " ".join(line for line in (line.split("--")[0].strip() for line in statement.splitlines()) if line)


def peers() -> list[Peer]:
    """Those that can be installed here: pip's always, npm's where node is."""
    folder = home() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / "venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", "-r", _HERE / "requirements.txt"], check=True, stderr=subprocess.DEVNULL)
    found: list[Peer] = [_Pgqueuer(python), _Procrastinate(python)]
    if shutil.which("npm") and shutil.which("node"):
        node = folder / "node"
        node.mkdir(exist_ok=True)
        for file in ("package.json", "graphile.js"):
            shutil.copy(_HERE / file, node / file)
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=node, check=True)
        found.append(_Graphile(node))
    return found


def measure_peers(connection: psycopg.Connection[Any], dsn: str, *, runs: int, seconds: int, tasks: int) -> dict[str, list[Run]]:
    """Rates of each at batch 50 with 4 workers, the engine's first; all alternate, and each finds its tables freshly filled."""
    case = Case(_BATCH, _CLIENTS, 1_000, 1.5)
    rates: dict[str, list[Run]] = {"geomill": []}
    ready: list[tuple[Peer, Path]] = []
    for peer in peers():
        peer.install(dsn)
        script = home() / "bench" / f"{peer.name.split()[0]}.sql"
        script.write_text(peer.script())
        ready.append((peer, script))
        rates[peer.name] = []
    for _ in range(runs):
        fill_engine(connection, case.stage_size, tasks)
        rates["geomill"].append(engine_run(connection, dsn, case, seconds=seconds))
        for peer, script in ready:
            peer.fill(connection, tasks)
            rates[peer.name].append(pgbench(connection, dsn, script, clients=_CLIENTS, tasks_each=peer.batch, seconds=seconds))
    return rates


def best_ratio(rates: dict[str, list[Run]]) -> float:
    """The engine's median over the best peer's."""
    return median(rates["geomill"]) / max(median(runs) for name, runs in rates.items() if name != "geomill")
