"""Every job type, the jobs that serve each type of request, in sequence, and the job that takes its result back."""

from __future__ import annotations

from codegen.messages.base import Message
from codegen.messages.consistency import ConsistencyParameters
from codegen.messages.discard import DiscardParameters, SupersededParameters
from codegen.messages.h3 import BootstrapGridParameters, ZonalParameters
from codegen.messages.hello_world import HelloWorldParameters
from codegen.messages.raster import (
    ProcessCollectionParameters,
    ProcessRasterParameters,
    PublishCollectionParameters,
    ValidateRasterParameters,
)
from codegen.messages.unpublish import UnpublishParameters, UnpublishVectorParameters
from codegen.messages.vector import IngestVectorParameters, InspectVectorParameters, VectorCatalogParameters
from codegen.messages.webhook import DeliverParameters
from codegen.models.enums import FailurePolicy, RequestType
from codegen.workflows.base import Count, Each, JobType, MatchPrevious, Single, Stage


def _without(parameters: type[Message], *keys: str) -> list[str]:
    """All but those keys: what workers of the version before take."""
    return [key for key in parameters.model_fields if key not in keys]


HELLO_WORLD = JobType(
    name="hello_world",
    description="The smoke test: n greetings, then a reply to each",
    parameters=HelloWorldParameters,
    stages=[
        Stage(name="greet", task_type="hello_greeting", fan_out=Count(path="$.n"), max_runtime_seconds=60.0),
        Stage(name="reply", task_type="hello_reply", fan_out=MatchPrevious(), max_runtime_seconds=60.0),
    ],
)

INGEST_VECTOR = JobType(
    name="ingest_vector",
    description="A vector file into a table of schema geo that nobody sees yet",
    parameters=IngestVectorParameters,
    stages=[
        Stage(name="inspect", task_type="vector_plan", max_runtime_seconds=900.0, weight=1.0),
        Stage(name="load", task_type="vector_chunk", fan_out=Each(path="$.chunks[*]", of="previous"), max_runtime_seconds=3600.0, weight=8.0),
        Stage(name="finish", task_type="vector_finish_v2", max_runtime_seconds=3600.0, weight=2.0),
    ],
)  # fmt: skip

INSPECT_VECTOR = JobType(
    name="inspect_vector",
    description="What an ingest of a vector file would make, and a sample of what stands in its way",
    parameters=InspectVectorParameters,
    stages=[Stage(name="inspect", task_type="vector_report", max_runtime_seconds=900.0)],
)

STAC_CATALOG_VECTORS = JobType(
    name="stac_catalog_vectors",
    description="The loaded table and its STAC item become what readers see, in one commit",
    parameters=VectorCatalogParameters,
    stages=[
        Stage(name="download", task_type="vector_download", condition='$.parameters.download == "gpkg" && !exists($.parameters.downloaded ? (@ != null))', max_runtime_seconds=14400.0),
        Stage(name="catalogue", task_type="vector_catalogue_v2", max_attempts=5, max_runtime_seconds=3600.0),
    ],
)  # fmt: skip

VALIDATE_RASTER = JobType(
    name="validate_raster",
    description="Whether a raster can become a COG, and of which kind it is",
    parameters=ValidateRasterParameters,
    stages=[Stage(name="validate", task_type="raster_validate_v2", max_runtime_seconds=3600.0)],
)

PROCESS_RASTER = JobType(
    name="process_raster",
    description="A raster into a Cloud Optimized GeoTIFF, or an equal one found again, and a STAC item",
    parameters=ProcessRasterParameters,
    stages=[
        Stage(name="convert", task_type="raster_convert_v2", task_parameters=_without(ProcessRasterParameters, "reused_from", "cog"), condition="!exists($.parameters.reused_from ? (@ != null))", max_runtime_seconds=14400.0, weight=8.0),
        Stage(name="catalogue", task_type="stac_raster_v3", max_attempts=5, max_runtime_seconds=300.0),
    ],
)  # fmt: skip

PROCESS_RASTER_COLLECTION = JobType(
    name="process_raster_collection",
    description="A collection of rasters into COGs, or equal ones found again",
    parameters=ProcessCollectionParameters,
    stages=[
        Stage(name="inspect", task_type="collection_inspect_v2", max_runtime_seconds=3600.0),
        Stage(name="convert", task_type="collection_convert_v3", fan_out=Each(path="$.members[*]", of="previous"), max_runtime_seconds=14400.0, failure_policy=FailurePolicy.CONTINUE, weight=8.0),
        Stage(name="gather", task_type="collection_gather", max_attempts=5, max_runtime_seconds=900.0),
    ],
)  # fmt: skip

CREATE_MOSAIC_JSON = JobType(
    name="create_mosaic_json",
    description="A MosaicJSON document over the COGs of a collection, then its items and itself into the catalogue, all at once",
    parameters=PublishCollectionParameters,
    stages=[Stage(name="publish", task_type="collection_publish_v2", fan_out=Single(), max_attempts=5, max_runtime_seconds=1800.0)],
)

DISCARD_ARTEFACTS = JobType(
    name="discard_artefacts",
    description="Removes staging tables and files that a failed, cancelled or superseded revision left behind",
    parameters=DiscardParameters,
    stages=[Stage(name="discard", task_type="discard_v3", max_attempts=10, max_runtime_seconds=900.0)],
)

DISCARD_SUPERSEDED = JobType(
    name="discard_superseded",
    description="Removes files of a collection's earlier revisions that none of its items shows any more",
    parameters=SupersededParameters,
    stages=[Stage(name="discard", task_type="discard_superseded_v2", max_attempts=10, max_runtime_seconds=900.0)],
)

CHECK_CONSISTENCY = JobType(
    name="check_consistency",
    description="Whether requests, tables, items and files agree; mends what can be mended where that is asked for",
    parameters=ConsistencyParameters,
    stages=[Stage(name="check", task_type="consistency_check", max_runtime_seconds=14400.0)],
)

_UNPUBLISH_STAGES = [
    Stage(name="withdraw", task_type="unpublish_withdraw", max_attempts=10, max_runtime_seconds=900.0),
    Stage(name="remove_files", task_type="unpublish_files_v3", max_attempts=10, max_runtime_seconds=900.0),
]

UNPUBLISH_VECTOR = JobType(
    name="unpublish_vector",
    description="Takes back what a vector request published: its table, or its rows in another's, and its STAC item",
    parameters=UnpublishVectorParameters,
    stages=[
        Stage(name="withdraw", task_type="vector_withdraw_v2", max_attempts=10, max_runtime_seconds=3600.0),
        # What it is given is what it takes for every type of request.
        _UNPUBLISH_STAGES[1].model_copy(update={"task_parameters": list(UnpublishParameters.model_fields)}),
    ],
)

UNPUBLISH_RASTER = JobType(
    name="unpublish_raster",
    description="Takes back what a raster request published: its STAC item, then its COG",
    parameters=UnpublishParameters,
    stages=_UNPUBLISH_STAGES,
)

UNPUBLISH_COLLECTION = JobType(
    name="unpublish_collection",
    description="Takes back what a collection request published: its STAC items and collection, then its COGs and mosaic",
    parameters=UnpublishParameters,
    stages=_UNPUBLISH_STAGES,
)

UNPUBLISH_H3_STATISTICS = JobType(
    name="unpublish_h3_statistics",
    description="Takes back what an h3_statistics request measured; its rows go with the job's end",
    parameters=UnpublishParameters,
    stages=_UNPUBLISH_STAGES,
)

DELIVER_WEBHOOK = JobType(
    name="deliver_webhook",
    description="Tells a client that its request has ended; tries for a day",
    parameters=DeliverParameters,
    # 30 s, doubling up to 4 h: the fifteenth attempt comes a day after the first.
    stages=[Stage(name="deliver", task_type="webhook_deliver", max_attempts=15, backoff_seconds=30.0, backoff_max_seconds=14400.0, max_runtime_seconds=120.0)],
)  # fmt: skip

BOOTSTRAP_H3_GRID = JobType(
    name="bootstrap_h3_grid",
    description="A grid of H3 cells, cut by land, countries, a box or a table",
    parameters=BootstrapGridParameters,
    stages=[
        Stage(name="seed", task_type="h3_grid_seed", max_runtime_seconds=3600.0),
        Stage(name="load", task_type="h3_grid_load", fan_out=Each(path="$.parents[*]", of="previous"), max_runtime_seconds=900.0, weight=8.0),
        Stage(name="finalise", task_type="h3_grid_finalise", max_runtime_seconds=3600.0),
    ],
)  # fmt: skip

H3_ZONAL_STATISTICS = JobType(
    name="h3_zonal_statistics",
    description="What rasters or a table hold in each cell of a grid",
    parameters=ZonalParameters,
    stages=[
        Stage(name="plan", task_type="h3_zonal_plan", max_runtime_seconds=900.0),
        Stage(name="measure", task_type="h3_zonal_measure", fan_out=Each(path="$.parents[*]", of="previous"), max_runtime_seconds=3600.0, weight=8.0),
        Stage(name="publish", task_type="h3_zonal_publish", max_runtime_seconds=3600.0),
    ],
)  # fmt: skip

JOB_TYPES: list[JobType] = [
    HELLO_WORLD,
    INGEST_VECTOR,
    INSPECT_VECTOR,
    STAC_CATALOG_VECTORS,
    VALIDATE_RASTER,
    PROCESS_RASTER,
    PROCESS_RASTER_COLLECTION,
    CREATE_MOSAIC_JSON,
    DISCARD_ARTEFACTS,
    DISCARD_SUPERSEDED,
    CHECK_CONSISTENCY,
    UNPUBLISH_VECTOR,
    UNPUBLISH_RASTER,
    UNPUBLISH_COLLECTION,
    UNPUBLISH_H3_STATISTICS,
    DELIVER_WEBHOOK,
    BOOTSTRAP_H3_GRID,
    H3_ZONAL_STATISTICS,
]

REQUEST_JOBS: dict[RequestType, list[JobType]] = {
    RequestType.VECTOR: [INGEST_VECTOR, STAC_CATALOG_VECTORS],
    RequestType.RASTER: [VALIDATE_RASTER, PROCESS_RASTER],
    RequestType.COLLECTION: [PROCESS_RASTER_COLLECTION, CREATE_MOSAIC_JSON],
    RequestType.H3_STATISTICS: [H3_ZONAL_STATISTICS],
}

INSPECT_JOBS: dict[RequestType, list[JobType]] = {RequestType.VECTOR: [INSPECT_VECTOR]}
"""Where processing_config.inspect_only is true."""

UNPUBLISH_JOBS: dict[RequestType, JobType] = {
    RequestType.VECTOR: UNPUBLISH_VECTOR,
    RequestType.RASTER: UNPUBLISH_RASTER,
    RequestType.COLLECTION: UNPUBLISH_COLLECTION,
    RequestType.H3_STATISTICS: UNPUBLISH_H3_STATISTICS,
}
