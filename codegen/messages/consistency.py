"""Parameters of the job that compares requests, tables, items and files."""

from __future__ import annotations

from pydantic import Field

from codegen.messages.base import Message


class ConsistencyParameters(Message):
    """Parameters of the job `check_consistency`."""

    repair: bool = Field(default=False, description="Mend what can be mended, rather than only say it")
