"""What is checked before a worker claims anything: that it can do what it will claim, and that the engine is there."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from codegen.connection import RefusedError, resolve_dsn
from codegen.messages import contract
from workers.backoff import Backoff
from workers.connections import open_connection
from workers.errors import ConfigurationError, TaskError
from workers.identity import software_version
from workers.logs import process_log
from workers.registry import Handler, check_handlers, load_handlers
from workers.storage import Storage

PATIENCE = 60.0
"""How long a server may take to come up, as it does beside the workers in a compose file."""
_COMING_UP = ("starting up", "shutting down", "in recovery", "too many", "not yet accepting")


def check_tasks(task_types: Sequence[str] | None) -> tuple[Mapping[str, Handler], tuple[str, ...]]:
    """The handlers, and the task types to claim: each has a handler, and every handler's module has been imported."""
    handlers = load_handlers()
    return handlers, tuple(check_handlers(handlers, task_types))


def check_storage() -> Storage:
    """The storage, which can be written to."""
    try:
        return Storage.from_environment()
    except TaskError as error:
        raise ConfigurationError(f"GEOMILL_STORAGE: {error}. {error.detail.remediation}") from error
    except OSError as error:
        raise ConfigurationError(f"the storage root cannot be made: {error}. GEOMILL_STORAGE names another") from error


def check_database(patience: float = PATIENCE) -> None:
    """The server answers, and the engine is deployed there for this role."""
    try:
        resolve_dsn("worker")
    except RefusedError as error:
        raise ConfigurationError(str(error)) from error
    backoff, give_up_at = Backoff(0.2, 5.0), time.monotonic() + patience
    while True:
        try:
            with open_connection("check") as connection:
                _check_engine(connection)
                return
        except RefusedError as error:  # its message names what is missing, and the remedy
            raise ConfigurationError(str(error)) from error
        except (psycopg.ProgrammingError, psycopg.errors.InsufficientPrivilege) as error:
            raise _not_deployed(str(error).strip()) from error
        except psycopg.OperationalError as error:
            message = str(error).strip()
            refused = "FATAL" in message and not any(phrase in message for phrase in _COMING_UP)
            if refused or time.monotonic() > give_up_at:
                raise ConfigurationError(
                    f"cannot connect to the database: {message}. GEOMILL_DSN_WORKER (or GEOMILL_DSN, PG*) names it"
                ) from error
            delay = backoff.delay()
            process_log().warning("waiting for the database", error=message, retry_in=round(delay, 1))
            time.sleep(delay)


def _check_engine(connection: psycopg.Connection[Any]) -> None:
    """The engine is there, this role may call it, and it keeps the contract that these workers rely on."""
    row = connection.execute(
        "SELECT has_function_privilege(to_regprocedure('app.turn(text, jsonb, text[], integer)'), 'EXECUTE'),"
        " to_regprocedure('app.worker_contract()') IS NOT NULL"
    ).fetchone()
    if row is None or not row[0]:
        raise _not_deployed("there is no app.turn that this role may execute")
    if not row[1]:
        raise _too_old("it comes from before there was app.worker_contract")
    oldest, newest, version = connection.execute("SELECT oldest, newest, software_version FROM app.worker_contract()").fetchall()[0]
    if newest < contract.NEWEST:
        raise _too_old(f"geomill {version} was deployed there, with contract {newest}")
    if oldest > contract.NEWEST:
        raise ConfigurationError(
            f"the database is too new for these workers: geomill {version} was deployed there and keeps contracts from {oldest} on, "
            f"geomill {software_version()} relies on {contract.NEWEST}. Start the workers of geomill {version}"
        )


def _too_old(why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the database is too old for these workers: {why}; geomill {software_version()} relies on contract {contract.NEWEST}. "
        "Run `make deploy` first, then start the workers"
    )


def _not_deployed(why: str) -> ConfigurationError:
    return ConfigurationError(f"geomill's engine is not deployed in this database: {why}. Run `make deploy`, and connect as geomill_worker")
