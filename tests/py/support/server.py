"""A server to test on, and the databases on it.

Geomill is deployed once, into a template; each test gets a copy of that, which takes a fraction of a second. The logins
and their connection strings are made as on any other server (`python -m codegen logins`, into $GEOMILL_HOME/dsn), and
only the database's name is exchanged.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from codegen.settings import Settings, variable

CHECKOUT = Path(__file__).resolve().parents[3]
SETUP = CHECKOUT / "tests" / "pgtap" / "setup"

Role = Literal["superuser", "owner", "worker", "ddh", "admin", "reader"]
ROLES: tuple[Role, ...] = ("superuser", "owner", "worker", "ddh", "admin", "reader")


def on_database(dsn: str, name: str) -> str:
    """The same connection URI, to another database."""
    return urlsplit(dsn)._replace(path=f"/{name}").geturl()


def outside_environment() -> dict[str, str]:
    """The environment without what names a server, a store or a role: tests say those themselves."""
    ours = ("PG", "GEOMILL_DSN", "GEOMILL_LISTEN_DSN", "GEOMILL_STORAGE", "GEOMILL_PUBLIC_URL")
    settings = {variable(name) for name in Settings.model_fields if name != "home"}
    return {name: value for name, value in os.environ.items() if not name.startswith(ours) and name not in settings}


@dataclass(frozen=True)
class Database:
    """A database on the server, with a connection for each role."""

    server: Server
    name: str

    def dsn(self, role: Role = "superuser") -> str:
        return on_database(self.server.role_dsn(role), self.name)

    def connect(self, role: Role = "superuser", *, autocommit: bool = True, **options: Any) -> psycopg.Connection[Any]:
        return psycopg.connect(self.dsn(role), autocommit=autocommit, **options)

    def environment(self) -> dict[str, str]:
        """For a process that is to work on this database, in whatever role it takes."""
        dsns = {f"GEOMILL_DSN_{role.upper()}": self.dsn(role) for role in ROLES if self.server.has_login(role)}
        return outside_environment() | dsns | {"GEOMILL_HOME": str(self.server.home), "GEOMILL_NO_CRON": "1"}


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server where tests may make and drop databases; `home` is its GEOMILL_HOME."""

    superuser_dsn: str
    home: Path
    template: str

    @classmethod
    def from_environment(cls) -> Server:
        """The server that ops/test.sh prepared."""
        return cls(os.environ["GEOMILL_TEST_DSN"], Path(os.environ["GEOMILL_HOME"]), os.environ["GEOMILL_TEST_TEMPLATE"])

    @property
    def engine_template(self) -> str:
        """The template with pgTAP and the given-helpers of tests/pgtap/setup."""
        return f"{self.template}_engine"

    def has_login(self, role: Role) -> bool:
        return role == "superuser" or (self.home / "dsn" / role).exists()

    def role_dsn(self, role: Role) -> str:
        if role == "superuser":
            return self.superuser_dsn
        return (self.home / "dsn" / role).read_text().strip()

    def deploy_template(self) -> None:
        """Deploy geomill into the template, make the logins, and close it: a template that is in use cannot be copied."""
        self.drop(self.template)
        self.create(self.template, template="template1")
        # The mark of a server that is ours: its logins may get new passwords.
        superuser = self.home / "dsn" / "superuser"
        superuser.parent.mkdir(parents=True, exist_ok=True)
        superuser.touch(mode=0o600)
        superuser.write_text(self.superuser_dsn + "\n")
        self._run("codegen", "deploy")
        self._run("codegen", "logins")
        self._close(self.template)

    def deploy_engine_template(self) -> None:
        """The copy that the SQL tests, and tests of the engine from Python, run in."""
        self.drop(self.engine_template)
        database = self.create(self.engine_template)
        with database.connect() as connection:
            connection.execute("CREATE EXTENSION pgtap")
            connection.execute("CREATE EXTENSION IF NOT EXISTS plpgsql_check")
            for file in sorted(SETUP.glob("*.sql")):
                connection.execute(file.read_bytes())
        self._close(self.engine_template)

    def create(self, name: str, template: str | None = None) -> Database:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template or self.template))
        self._execute(statement)
        return Database(self, name)

    def drop(self, name: str) -> None:
        """Drop it if it is there, whoever is connected."""
        with psycopg.connect(on_database(self.superuser_dsn, "postgres"), autocommit=True) as connection:
            if connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
                return
            connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(sql.Identifier(name)))
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _close(self, name: str) -> None:
        self._execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false IS_TEMPLATE true").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(on_database(self.superuser_dsn, "postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def _run(self, module: str, *arguments: str) -> None:
        dsn = on_database(self.superuser_dsn, self.template)
        environment = outside_environment() | {"GEOMILL_DSN": dsn, "GEOMILL_HOME": str(self.home), "GEOMILL_NO_CRON": "1"}
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments], cwd=CHECKOUT, env=environment, text=True, capture_output=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"python -m {module} {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
