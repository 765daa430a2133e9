"""Which module reads a dataset: GDAL's formats one, the others each their own."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from codegen.messages.request import VectorConfig
from codegen.messages.vector import Chunk, VectorPlan
from workers.vector import delimited, features, geoparquet, ogr
from workers.vector.alterations import Alterations
from workers.vector.batches import Batch
from workers.vector.bounds import bounded
from workers.vector.formats import Format
from workers.vector.layer import Layer
from workers.vector.source import Dataset


def describe(dataset: Dataset, asked: VectorConfig) -> Layer:
    """The layer that was asked for, or the only one with geometries."""
    with dataset.reading():
        match dataset.format:
            case Format.GEOJSON | Format.GEOJSON_LINES:
                return features.describe(dataset)
            case Format.CSV:
                return delimited.describe(dataset, asked)
            case Format.PARQUET:
                return geoparquet.describe(dataset)
            case _:
                return ogr.describe(dataset, asked.layer)


def layers(dataset: Dataset) -> list[str | None]:
    """The names of the layers with geometries; None for the only one of a format that has no names."""
    match dataset.format:
        case Format.GEOJSON | Format.GEOJSON_LINES | Format.CSV | Format.PARQUET:
            return [None]
        case _:
            with dataset.reading():
                return list(ogr.spatial_layers(dataset))


def read(dataset: Dataset, plan: VectorPlan, chunk: Chunk, altered: Alterations) -> Generator[Batch, None, None]:
    """The rows of a chunk. The file is opened when the first batch is asked for and closed after the last."""
    with dataset.reading():
        match dataset.format:
            case Format.GEOJSON | Format.GEOJSON_LINES:
                batches = features.read(dataset, plan, chunk, altered)
            case Format.CSV:
                batches = delimited.read(dataset, plan, chunk, altered)
            case Format.PARQUET:
                batches = geoparquet.read(dataset, plan, chunk, altered)
            case _:
                batches = ogr.read(dataset, plan, chunk, altered)
        with closing(batches):
            yield from bounded(batches)
