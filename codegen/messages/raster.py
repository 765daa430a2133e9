"""Parameters of the raster and collection jobs."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from codegen.messages.request import CollectionConfig, RasterConfig, RequestIdentity, RequestSource


class ValidateRasterParameters(RasterConfig, RequestIdentity, RequestSource):
    """Parameters of the job `validate_raster`."""

    stac_collection: str = Field(max_length=100, description="STAC collection that the item goes to")


class ProcessRasterParameters(RasterConfig, RequestIdentity, RequestSource):
    """Parameters of the job `process_raster`."""

    stac_collection: str = Field(max_length=100, description="STAC collection that the item goes to")
    validation: dict[str, Any] = Field(description="Report of validate_raster")
    reused_from: str | None = Field(default=None, description="The equal request whose COG will do; null where one is to be made")
    cog: dict[str, Any] | None = Field(default=None, description="Report of that COG")


class ProcessCollectionParameters(CollectionConfig, RequestIdentity, RequestSource):
    """Parameters of the job `process_raster_collection`."""

    stac_collection: str = Field(max_length=100, description="The STAC collection that the request makes")


class PublishCollectionParameters(CollectionConfig, RequestIdentity):
    """Parameters of the job `create_mosaic_json`."""

    stac_collection: str = Field(max_length=100, description="The STAC collection that the request makes")
    converted_by: str | None = Field(default=None, description="The job that made the COGs; null where a worker of the version before has catalogued them")
    sources: int = Field(default=0, ge=0, le=2147483647, description="Members that were named, converted or not")
    members: list[dict[str, Any]] = Field(default_factory=list, description="From a worker of the version before: COGs of the mosaic with bounds and zoom range")
