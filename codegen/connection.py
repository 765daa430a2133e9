"""How anything here reaches PostgreSQL: which connection string a role has, and a connection with it.

The first of these that says something about a role R is taken:

1. the environment variable GEOMILL_DSN_<R>;
2. GEOMILL_DSN, for the two processes that are started with it: deploy (superuser) and workers (worker);
3. the file $GEOMILL_HOME/dsn/<r>, which ops/cluster.sh and `python -m codegen logins` write (mode 0600);
4. libpq's own variables, if PGHOST, PGHOSTADDR, PGSERVICE or PGDATABASE is set.

Who connects is proven by the first of these: a user-assigned managed identity, a system-assigned one (codegen/identity.py), a
password, in the connection string or where libpq finds one. A connection string that names another login than the identity's, with
a password, means that login. Neither password nor token is ever printed, or put where another user could read it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo

from codegen import identity
from codegen.identity import ManagedIdentity
from codegen.refusal import RefusedError as RefusedError  # noqa: PLC0414 - workers, who may import this module only, catch it
from codegen.settings import settings

Role = Literal["superuser", "owner", "worker", "ddh", "admin", "reader"]
ROLES: tuple[Role, ...] = get_args(Role)

_STARTED_WITH_DSN: tuple[Role, ...] = ("superuser", "worker")
_LIBPQ = {"PGHOST": "host", "PGHOSTADDR": "hostaddr", "PGPORT": "port", "PGUSER": "user", "PGDATABASE": "dbname", "PGSERVICE": "service"}
_LOCAL = ("", "localhost", "127.0.0.1", "::1")
_PLAIN = ("disable", "allow", "prefer")
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
    given = options | {"autocommit": autocommit, "application_name": application_name}
    who = _identity_of(dsn)
    try:
        connection: psycopg.Connection[Any] = psycopg.connect(**(_parameters(dsn, who) | given))
    except psycopg.OperationalError as error:
        remedy = _remedy(error, who)
        if remedy is None:
            raise
        raise psycopg.OperationalError(f"{str(error).strip()}\n  {remedy}") from error
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


def parameters(dsn: str) -> dict[str, Any]:
    """What libpq is given to connect: the parts of the connection string, with a token where one is due. For nobody's eyes."""
    return _parameters(dsn, _identity_of(dsn))


def environment_of(given: Mapping[str, Any]) -> dict[str, str]:
    """The same as the variables that libpq reads, for a program that is started: arguments are there for all to read."""
    variables = {option.keyword.decode(): option.envvar.decode() for option in Conninfo.get_defaults() if option.envvar}
    return {variables[key]: str(value) for key, value in given.items() if value is not None and key in variables}


def _identity_of(dsn: str) -> ManagedIdentity | None:
    """The managed identity that a connection string is for; None if a password has to do."""
    who = identity.configured()
    if who is None:
        return None
    parts = server_of(dsn)
    of_another = "password" in parts and who.login is not None and parts.get("user", who.login) != who.login
    return None if of_another else who


def _parameters(dsn: str, who: ManagedIdentity | None) -> dict[str, Any]:
    parts = server_of(dsn)
    if who is None:
        return parts
    login = parts.get("user") or who.login or os.environ.get("PGUSER")
    if not login:
        raise RefusedError(str(who), "its login is not known", "name the user in the connection string, or set GEOMILL_IDENTITY_LOGIN")
    if not _is_local(parts):
        parts["sslmode"] = _encrypted(parts.get("sslmode") or os.environ.get("PGSSLMODE"), who)
    return parts | {"user": login, "password": identity.token(who)}


def _is_local(parts: Mapping[str, Any]) -> bool:
    hosts = str(parts.get("hostaddr") or parts.get("host") or os.environ.get("PGHOST") or "").split(",")
    return "service" not in parts and all(host in _LOCAL or host.startswith(("/", "@")) for host in hosts)


def _encrypted(sslmode: str | None, who: ManagedIdentity) -> str:
    """A mode that never sends the token in the clear: whoever reads it can be us for an hour."""
    if sslmode in _PLAIN:
        raise RefusedError(f"sslmode={sslmode}", f"would let a token of the {who} be read on its way", "use require, or better verify-full")
    return sslmode or "require"


def _remedy(error: psycopg.OperationalError, who: ManagedIdentity | None) -> str | None:
    """What to do where nothing, or the wrong thing, proved who connects."""
    message = str(error)
    if who is not None and "authentication failed" in message:
        # It may have been withdrawn: the next connection asks for another.
        identity.forget()
        return f"tried with a token of the {who}: the login must be that identity's"
    if who is None and "no password supplied" in message:
        return (
            "remedy: a managed identity (GEOMILL_IDENTITY_CLIENT_ID, or GEOMILL_IDENTITY=system), or a password: in the connection "
            "string, in PGPASSWORD, or in a password file"
        )
    return None
