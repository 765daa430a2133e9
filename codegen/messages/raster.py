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


class ProcessCollectionParameters(CollectionConfig, RequestIdentity, RequestSource):
    """Parameters of the job `process_raster_collection`."""

    stac_collection: str = Field(max_length=100, description="The STAC collection that the request makes")


class MosaicParameters(RequestIdentity):
    """Parameters of the job `create_mosaic_json`."""

    stac_collection: str = Field(max_length=100, description="The STAC collection that the request made")
    members: list[dict[str, Any]] = Field(min_length=1, description="COGs of the mosaic: href, bounds, zoom range")
