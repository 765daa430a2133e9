"""Parameters of the vector jobs, and what their stages hand to one another."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from codegen.messages.request import Identifier, RequestIdentity, RequestSource, VectorConfig


class IngestVectorParameters(VectorConfig, RequestIdentity, RequestSource):
    """Parameters of the job `ingest_vector`."""

    table_name: Identifier = Field(description="Table in schema geo, reserved for the client")
    stac_collection: str = Field(max_length=100, description="STAC collection that the item goes to")


class VectorCatalogParameters(RequestIdentity):
    """Parameters of the job `stac_catalog_vectors`: the request's own words, and what ingest_vector found."""

    table_name: Identifier = Field(description="Table in schema geo")
    title: str | None = Field(default=None, description="Title of the item")
    description: str | None = Field(default=None, description="Description of the item")
    license: str | None = Field(default=None, description="SPDX identifier, or other")
    keywords: list[str] = Field(default_factory=list, description="Keywords")
    datetime: str | None = Field(default=None, description="When the data is from")
    stac_collection: str = Field(max_length=100, description="STAC collection that the item goes to")
    vector: dict[str, Any] = Field(description="Report of ingest_vector: rows, columns, extent, CRS, lineage")
