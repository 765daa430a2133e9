"""Parameters of the job that delivers a webhook."""

from __future__ import annotations

from pydantic import Field

from codegen.messages.base import Message


class DeliverParameters(Message):
    """Which call is owed. Where to, and what, stands in its row, which only the attempt that makes the call may read."""

    delivery_id: int = Field(ge=1, le=2**53, description="Row of platform.webhook_deliveries")
