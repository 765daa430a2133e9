"""What DDH does: submit, look, search. Every statement here runs as the client's login, through SQL alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

END = {"completed", "completed_with_errors", "failed", "cancelled", "unpublished"}


@dataclass(frozen=True)
class Wanted:
    """One request as the client words it."""

    label: str
    dataset_id: str
    resource_id: str
    source_path: str
    request_type: str
    config: dict[str, Any]


def one_row(connection: psycopg.Connection[Any], query: sql.SQL | sql.Composed, parameters: Sequence[Any] = ()) -> tuple[Any, ...]:
    """The one row that a query returns; LookupError where it returns none."""
    row = connection.execute(query, parameters).fetchone()
    if row is None:
        raise LookupError(query.as_string(connection))
    return tuple(row)


def submit(connection: psycopg.Connection[Any], wanted: Wanted) -> tuple[str, bool]:
    """Submit; return the request's id and whether this call created it."""
    request_id, created = one_row(
        connection,
        sql.SQL(
            "SELECT request_id, created FROM platform.submit_request("
            "dataset_id => %s, resource_id => %s, version_id => 'v1', source_path => %s, request_type => %s, processing_config => %s)"
        ),
        (wanted.dataset_id, wanted.resource_id, wanted.source_path, wanted.request_type, Jsonb(wanted.config)),
    )
    return request_id, created


def retry(connection: psycopg.Connection[Any], request_id: str) -> None:
    """Take up a request that failed or was cancelled again."""
    connection.execute("SELECT platform.retry_request(%s)", (request_id,))


def status(connection: psycopg.Connection[Any], request_id: str) -> dict[str, Any]:
    """The request's status document."""
    document: dict[str, Any] = one_row(connection, sql.SQL("SELECT platform.get_request_status(%s)"), (request_id,))[0]
    return document


def search(connection: psycopg.Connection[Any], collections: Iterable[str]) -> list[dict[str, Any]]:
    """STAC items of these collections, as the client may see them."""
    wanted = Jsonb({"collections": list(collections), "limit": 50})
    items: list[dict[str, Any]] = one_row(connection, sql.SQL("SELECT platform.stac_search(%s)"), (wanted,))[0]["features"]
    return items


def watch(connection: psycopg.Connection[Any], requests: dict[str, str], seconds: float) -> dict[str, dict[str, Any]]:
    """Show the progress of `requests` (label to id) until each has ended; return their status documents.

    Raises TimeoutError where they have not ended after `seconds`.
    """
    until = time.monotonic() + seconds
    live = sys.stdout.isatty()
    shown = ""
    while True:
        documents = {label: status(connection, request_id) for label, request_id in requests.items()}
        line = "   ".join(f"{label} {document['progress_percent']:3d} % {document['status']}" for label, document in documents.items())
        if line != shown:
            print(f"\r  {line}\033[K" if live else f"  {line}", end="" if live else "\n", flush=True)
            shown = line
        if all(document["status"] in END for document in documents.values()):
            if live:
                print()
            return documents
        if time.monotonic() > until:
            raise TimeoutError(f"after {seconds:.0f} s: {line}")
        time.sleep(0.2)
