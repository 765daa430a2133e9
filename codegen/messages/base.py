"""Base of every message: strict and closed, so that Python and the generated SQL validator refuse the same values."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """A value in flight. Unknown keys are refused; nothing is coerced."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)
