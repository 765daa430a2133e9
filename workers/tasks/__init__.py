"""What the tasks do: one module for each family of task types.

A module that declares handlers stands in this list, or no worker knows it.
"""

from __future__ import annotations

HANDLER_MODULES: list[str] = [
    "workers.tasks.hello_world",
    "workers.tasks.vector",
    "workers.tasks.vector_report",
    "workers.tasks.vector_download",
    "workers.tasks.stac_vector",
    "workers.tasks.discard",
    "workers.tasks.unpublish",
    "workers.tasks.raster",
    "workers.tasks.stac_raster",
    "workers.tasks.collection",
    "workers.tasks.collection_publish",
    "workers.tasks.consistency",
    "workers.tasks.webhook",
    "workers.tasks.h3_grid",
    "workers.tasks.h3_zonal",
]
