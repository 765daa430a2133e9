"""How anything here reaches PostgreSQL: which connection string a role has, and a connection with it.

The first of these that says something about a role R is taken:

1. the environment variable GEOMILL_DSN_<R>;
2. GEOMILL_DSN, for the two processes that are started with it: deploy (superuser) and workers (worker);
3. the file $GEOMILL_HOME/dsn/<r>, which ops/cluster.sh and `python -m codegen logins` write (mode 0600);
4. libpq's own variables, if PGHOST, PGHOSTADDR, PGSERVICE or PGDATABASE is set.

A password is never printed, and never put where another process could read it. Other ways to authenticate (managed
identities, tokens) have their place in `_authenticate`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, get_args

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from codegen.refusal import RefusedError
from codegen.settings import settings

Role = Literal["superuser", "owner", "worker", "ddh", "admin", "reader"]
ROLES: tuple[Role, ...] = get_args(Role)

_STARTED_WITH_DSN: tuple[Role, ...] = ("superuser", "worker")
_LIBPQ = {"PGHOST": "host", "PGHOSTADDR": "hostaddr", "PGPORT": "port", "PGUSER": "user", "PGDATABASE": "dbname", "PGSERVICE": "service"}
_LIBPQ_NAMES_A_SERVER = ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE")


def home() -> Path:
    """Where geomill keeps what belongs to this checkout: connection strings, storage, perhaps a cluster."""
    return settings().home


def dsn_file(role: Role) -> Path:
    """The file that holds the connection string of a role."""
    return home() / "dsn" / role


def as_role(text: str) -> Role:
    """The role of that name; refused if there is none."""
    if text not in ROLES:
        raise RefusedError("ROLE", f"there is no role {text!r}", f"use one of {', '.join(ROLES)}")
    return text


def resolve_dsn(role: Role) -> str:
    """The connection string of a role. It may lack a password that libpq finds by itself (PGPASSWORD, a password file)."""
    own = os.environ.get(f"GEOMILL_DSN_{role.upper()}")
    if own:
        return own
    if role in _STARTED_WITH_DSN and os.environ.get("GEOMILL_DSN"):
        return os.environ["GEOMILL_DSN"]
    file = dsn_file(role)
    if file.exists():
        return file.read_text().strip()
    if any(os.environ.get(variable) for variable in _LIBPQ_NAMES_A_SERVER):
        return make_conninfo("", **{key: os.environ[variable] for variable, key in _LIBPQ.items() if os.environ.get(variable)})
    raise RefusedError(
        f"role {role}",
        f"no connection string: neither GEOMILL_DSN_{role.upper()} nor {file} nor PGHOST is there",
        "`make up` makes a server and these files; for a server of your own set GEOMILL_DSN, deploy, and run `python -m codegen logins`",
    )


def connect(role: Role, *, autocommit: bool = True, application_name: str | None = None, **options: Any) -> psycopg.Connection[Any]:
    """A connection as a role. `options` are libpq's, and psycopg's where they have no libpq name."""
    return connect_to(resolve_dsn(role), autocommit=autocommit, application_name=application_name or f"geomill {role}", **options)


def connect_to(dsn: str, *, autocommit: bool = True, application_name: str = "geomill", **options: Any) -> psycopg.Connection[Any]:
    """A connection by a connection string, as every connection of geomill is made."""
    connection = psycopg.connect(_authenticate(dsn), autocommit=autocommit, application_name=application_name, **options)
    if behind_pooler():
        connection.prepare_threshold = None
    return connection


def behind_pooler() -> bool:
    """Whether connection strings lead to a transaction pooler, where LISTEN and prepared statements mean nothing."""
    return settings().pooler


def with_database(dsn: str, database: str) -> str:
    """The same server and login, another database."""
    return make_conninfo(dsn, dbname=database)


def server_of(dsn: str) -> dict[str, Any]:
    """The parts of a connection string."""
    return dict(conninfo_to_dict(dsn))


def _authenticate(dsn: str) -> str:
    """The connection string with what proves who connects: here a password in it, or one that libpq finds."""
    return dsn
