"""The one default_factory for timestamps: Python's clock here, `now()` in a column's DEFAULT."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)
