"""The one shape of an error, in DETAIL of a raised SQL error, in a failed task and in a request's status."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from codegen.messages.base import Message

Category = Literal["user", "data", "system"]


class ErrorDetail(Message):
    """What went wrong, whose it is to mend, and how."""

    code: str = Field(max_length=100, pattern="^[A-Z][A-Z0-9_]*$", description="Stable code, e.g. SOURCE_NOT_FOUND")
    category: Category = Field(description="user: change the request; data: change the file; system: ours")
    message: str = Field(description="What happened, with the value that did it")
    remediation: str | None = Field(default=None, description="What to do about it")
    retryable: bool = Field(default=False, description="Whether the same attempt may succeed later")
    field: str | None = Field(default=None, description="Argument or key that is wrong")
    value: Any = Field(default=None, description="Its value")
    context: dict[str, Any] | None = Field(default=None, description="Further facts, e.g. the native library's messages")
