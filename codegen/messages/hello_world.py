"""Parameters of the smoke test."""

from __future__ import annotations

from pydantic import Field

from codegen.messages.base import Message


class HelloWorldParameters(Message):
    """Greet n times, then answer each greeting."""

    n: int = Field(ge=1, le=1000, description="How many greetings")
    message: str = Field(default="Hello from geomill", min_length=1, max_length=1000, description="What to say")
