"""What a batch may hold at most, whatever reads it: geometries that PostgreSQL can look at, and so many bytes.

Readers go by averages. Where one part of a layer is much heavier than the rest, their batches are cut here.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from workers.vector import wkb
from workers.vector.batches import Batch, Reject

BATCH_BYTES = 16 * 1024**2
"""A batch is at most this and its last row."""
MOST_GEOMETRY_BYTES = int(os.environ.get("GEOMILL_GEOMETRY_BYTES") or 32 * 1024**2)
"""About two million vertices. Looking at a geometry takes PostgreSQL ten times its size and more."""


def bounded(batches: Iterable[Batch]) -> Generator[Batch, None, None]:
    """The same rows in the same order; those whose geometry is too large without it, among the rejects."""
    for batch in batches:
        yield from _parts(_without_the_largest(batch))


def _without_the_largest(batch: Batch) -> Batch:
    large = pc.fill_null(pc.greater(pc.binary_length(batch.geometries), MOST_GEOMETRY_BYTES), False)
    if not pc.any(large).as_py():
        return batch
    rejects = [
        Reject(row, "GEOMETRY_TOO_LARGE", f"it has {len(data)} bytes, more than {MOST_GEOMETRY_BYTES}; its extent is {wkb.extent(data)}")
        for row, data in zip(batch.ids.filter(large).to_pylist(), batch.geometries.filter(large).to_pylist(), strict=True)
    ]
    kept = pc.if_else(large, pa.scalar(None, batch.geometries.type), batch.geometries)
    return replace(batch, geometries=kept, rejects=[*batch.rejects, *rejects])


def _parts(batch: Batch) -> Iterator[Batch]:
    starts = np.flatnonzero(np.diff(np.cumsum(_weights(batch)) // BATCH_BYTES)) + 1
    if not len(starts):
        yield batch
        return
    for start, end in zip([0, *starts.tolist()], [*starts.tolist(), len(batch.ids)], strict=True):
        ids, geometries = batch.ids[start:end], batch.geometries[start:end]
        inside = set(ids.to_pylist())
        yield Batch(
            ids=ids,
            geometries=geometries,
            columns=[column[start:end] for column in batch.columns],
            # Surfaces are others by now: they are counted with the first part.
            kinds=replace(wkb.kinds(geometries), surfaces=0 if start else batch.kinds.surfaces),
            rejects=[reject for reject in batch.rejects if reject.row in inside],
        )


def _weights(batch: Batch) -> NDArray[np.int64]:
    """Bytes of each row, as far as they differ: geometry and texts."""
    weights = np.zeros(len(batch.ids), dtype=np.int64)
    for column in (batch.geometries, *batch.columns):
        if isinstance(column, pa.Array) and (pa.types.is_binary(column.type) or pa.types.is_string(column.type)):
            weights += pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
    return weights
