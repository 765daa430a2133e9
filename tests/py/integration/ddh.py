"""What DDH does, for the tests of the whole road: every call here runs as the client's login."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.py.support.server import Database

OPEN = ("pending", "processing")


@dataclass(frozen=True)
class Ddh:
    """The client ddh_v1, in psql as it were."""

    database: Database

    def submit(self, resource: str, source: object, request_type: str | None = None, /, **config: Any) -> tuple[str, bool]:
        """Submit; the request's id, and whether this call made it."""
        with self.database.connect("ddh") as connection:
            row = connection.execute(
                "SELECT request_id, created FROM platform.submit_request('road', %s, 'v1', %s, %s, %s)",
                (resource, str(source), request_type, Jsonb(config)),
            ).fetchone()
            assert row is not None
            return row[0], row[1]

    def refused(self, resource: str, source: object, request_type: str | None = None, /, **config: Any) -> tuple[str, list[dict[str, Any]]]:
        """Submit what must be refused; the SQLSTATE and the problems in DETAIL."""
        with pytest.raises(psycopg.Error) as refusal:
            self.submit(resource, source, request_type, **config)
        detail = json.loads(refusal.value.diag.message_detail or "null")
        return str(refusal.value.sqlstate), detail if isinstance(detail, list) else [detail]

    def status(self, request: str) -> dict[str, Any]:
        """The status document."""
        with self.database.connect("ddh") as connection:
            row = connection.execute("SELECT platform.get_request_status(%s)", (request,)).fetchone()
            assert row is not None
            document: dict[str, Any] = row[0]
            return document

    def search(self, **body: Any) -> list[dict[str, Any]]:
        """Items that a STAC search finds."""
        with self.database.connect("ddh") as connection:
            row = connection.execute("SELECT platform.stac_search(%s)", (Jsonb(body),)).fetchone()
            assert row is not None
            items: list[dict[str, Any]] = row[0]["features"]
            return items

    def query(self, text: bytes) -> list[tuple[Any, ...]]:
        """Rows of a query of the client's own."""
        with self.database.connect("ddh") as connection:
            return connection.execute(text).fetchall()
