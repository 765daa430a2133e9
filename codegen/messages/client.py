"""How a client is configured: what platform.configure_client takes as `settings`, and returns whole."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from codegen.messages.base import Message

_COLLECTION = "^[a-z0-9][a-z0-9_-]*$"


class ClientSettings(Message):
    """Everything about a client but its identity, its roots and its secrets."""

    title: str = Field(min_length=1, max_length=200, description="Name for people")
    is_active: bool = Field(default=True, description="False refuses every call")
    priority: int = Field(default=0, ge=-100, le=100, description="Priority of requests that name none")
    allowed_request_types: list[Literal["vector", "raster", "collection", "h3_statistics"]] | None = Field(default=None, min_length=1, max_length=4, description="Types of requests that it may submit; NULL: all")
    vector_collection: str = Field(default="vectors", min_length=1, max_length=60, pattern=_COLLECTION, description="Default STAC collection of vector requests, below its prefix")
    raster_collection: str = Field(default="rasters", min_length=1, max_length=60, pattern=_COLLECTION, description="Default STAC collection of raster requests, below its prefix")
    calls_per_minute: int | None = Field(default=None, ge=1, le=100000, description="Calls of the API in a minute, of any function; NULL: no limit")
    requests_per_day: int | None = Field(default=None, ge=1, le=100000, description="Requests and revisions made in 24 hours; NULL: no limit")
    concurrent_requests: int | None = Field(default=None, ge=1, le=100000, description="Requests that are open at the same time; NULL: no limit")
    bytes_per_day: int | None = Field(default=None, ge=1, le=2**53, description="Bytes of source ingested in 24 hours, after which no request is taken; NULL: no limit")
