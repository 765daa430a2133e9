"""Logins for geomill's own cluster: each role gets a password of its own, and a file with its connection string.

On a server of somebody else's, which GEOMILL_DSN or PG* name, a role that can log in already keeps its password: other
checkouts may use it. Passwords are made here, hashed before they are sent, and kept in files that only their owner reads. A file
whose connection string works is left as it is.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql

from codegen.connection import Role, connect_to, dsn_file, server_of
from codegen.ddl import OWNER
from codegen.deploy import Report
from codegen.quoting import name

LOGINS: Mapping[Role, tuple[str, str | None]] = {
    "owner": (OWNER, None),
    "worker": ("geomill_worker", None),
    "admin": ("geomill_admin", None),
    "reader": ("geomill_reader", None),
    "ddh": ("ddh_v1", "geomill_client"),
}
"""Role to its login, and the group that the login is in, if it is not the group itself."""

CLIENT = {"client_id": "ddh_v1", "login_role": "ddh_v1", "prefix": "ddh", "title": "DDH"}
"""The data hub that the login ddh_v1 is."""

# Of a connection string, what is the login's own and not the server's.
_PERSONAL = {"user", "password", "passfile", "host", "hostaddr", "port", "dbname", "service", "application_name", "sslcert", "sslkey"}


def make_logins(dsn: str, report: Report) -> None:
    """Give every role a login that works, in the database of a connection string whose login may create roles."""
    with connect_to(dsn, application_name="geomill logins") as connection:
        for role, (login, group) in LOGINS.items():
            file = dsn_file(role)
            kept = _password_of(file)
            wanted = _uri(connection, dsn, login, kept) if kept else None
            if wanted is None or not _works(wanted, login):
                if not dsn_file("superuser").exists() and _can_log_in(connection, login):
                    report(f"{login}: can log in already, with a password that is not ours to change; set GEOMILL_DSN_{role.upper()}")
                    continue
                password = secrets.token_urlsafe(24)
                _set_password(connection, login, group, password)
                wanted = _uri(connection, dsn, login, password)
                report(f"{login}: new password")
            if not file.exists() or file.read_text().strip() != wanted:
                _write(file, wanted)
                report(f"{login}: {file}")
        _make_client(connection, report)


def _make_client(connection: psycopg.Connection[Any], report: Report) -> None:
    row = connection.execute("SELECT to_regclass('platform.clients') IS NOT NULL").fetchone()
    if not (row and row[0]):
        report("no client ddh_v1 yet: `python -m codegen deploy` first, then this again")
        return
    # Does nothing where it is there.
    connection.execute("SELECT platform.create_client(%(client_id)s, %(login_role)s, %(prefix)s, %(title)s)", CLIENT)


def _password_of(file: Path) -> str | None:
    return server_of(file.read_text().strip()).get("password") if file.exists() else None


def _can_log_in(connection: psycopg.Connection[Any], login: str) -> bool:
    row = connection.execute("SELECT count(*) FROM pg_catalog.pg_roles WHERE rolname = %s AND rolcanlogin", [login]).fetchone()
    return bool(row and row[0])


def _works(dsn: str, login: str) -> bool:
    try:
        with psycopg.connect(dsn, connect_timeout=10) as connection:
            row = connection.execute("SELECT session_user::text").fetchone()
            return row is not None and row[0] == login
    except psycopg.OperationalError:
        return False


def _set_password(connection: psycopg.Connection[Any], login: str, group: str | None, password: str) -> None:
    with connection.transaction():
        exists = connection.execute("SELECT count(*) FROM pg_catalog.pg_roles WHERE rolname = %s", [login]).fetchone()
        hashed = connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
        command = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}" if exists and exists[0] else "CREATE ROLE {} LOGIN PASSWORD {}")
        connection.execute(command.format(name(login), sql.Literal(hashed)))
        if group is not None:
            connection.execute(sql.SQL("GRANT {} TO {}").format(name(group), name(login)))


def _uri(connection: psycopg.Connection[Any], dsn: str, login: str, password: str) -> str:
    """A URI to the connected server and database, with what else the connection string says of the server (sslmode)."""
    info = connection.info
    others = {key: value for key, value in server_of(dsn).items() if key not in _PERSONAL}
    address = f"{quote(info.host, safe='')}:{info.port}/{quote(info.dbname, safe='')}"
    return f"postgresql://{quote(login, safe='')}:{quote(password, safe='')}@{address}" + (f"?{urlencode(others)}" if others else "")


def _write(file: Path, uri: str) -> None:
    """Written beside and renamed, so that nobody reads half of it, and never readable by others."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(uri + "\n")
    beside.rename(file)
