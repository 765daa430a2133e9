"""The rows of a part of a layer, a batch at a time, as PostgreSQL takes them.

What a value cannot keep is counted by column, never dropped in silence: a NUL in a text, bytes that are not of the file's
encoding, a date that does not exist, a time without a zone (read as UTC).
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyogrio
from psycopg.types.json import Jsonb

from codegen.messages.vector import Chunk, VectorPlan
from workers.errors import TaskError
from workers.geo_table import ColumnType
from workers.vector import wkb
from workers.vector.formats import Format
from workers.vector.layer import quoted
from workers.vector.source import Dataset
from workers.vector.wkb import Kinds

NUL_REMOVED = "nul_removed"
READ_AS_LATIN1 = "read_as_latin1"
IMPOSSIBLE_VALUE = "impossible_value"
ZONE_MISSING = "zone_missing"

Values = list[Any]


@dataclass
class Alterations:
    """Values that could not be kept as they were: what was done, to how many values of which column."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, what: str, column: str, values: int = 1) -> None:
        """Count."""
        self.counts[what][column] += values

    def listed(self) -> dict[str, dict[str, int]]:
        """As plain dictionaries."""
        return {what: dict(columns) for what, columns in self.counts.items()}


@dataclass(frozen=True)
class Batch:
    """Some rows: feature ids, WKB (None for no geometry), and a list of values for each column."""

    ids: list[int]
    geometries: list[bytes | None]
    columns: list[Values]
    kinds: Kinds

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Row by row: id, geometry, values."""
        return zip(self.ids, self.geometries, *self.columns, strict=True)


def read(dataset: Dataset, plan: VectorPlan, chunk: Chunk, altered: Alterations) -> Iterator[Batch]:
    """The rows of a chunk. The file is opened when the first batch is asked for and closed after the last."""
    options: dict[str, Any] = {
        "layer": plan.source.layer,
        "encoding": plan.source.encoding,
        "return_fids": True,
        "batch_size": plan.batch_rows,
        "use_pyarrow": True,
        # Arrow has one zone a column, and GDAL drops the zones of a column that has several.
        "datetime_as_string": True,
        **_part(dataset, plan, chunk),
    }
    with dataset.reading(), pyogrio.raw.open_arrow(dataset.path, **options) as (meta, reader):
        if [str(name) for name in meta["fields"]] != [column.original for column in plan.columns]:
            raise TaskError(
                "SOURCE_CHANGED", f"{dataset.name} has other columns than it had when it was inspected", category="user",
                field="source_path", value=dataset.name, remediation="Submit the request again when the file is complete",
            )  # fmt: skip
        for whole in reader:
            batch = whole if dataset.format is not Format.SHAPEFILE or chunk.end is None else _before(whole, chunk.end)
            if batch.num_rows:
                yield _converted(batch, plan, altered)
            if batch.num_rows < whole.num_rows:
                return


def _part(dataset: Dataset, plan: VectorPlan, chunk: Chunk) -> dict[str, Any]:
    """How to come to a chunk without reading what is before it."""
    if chunk.start is None and chunk.end is None:
        return {}
    if dataset.format is Format.SHAPEFILE:
        start, end = chunk.start or 0, chunk.end
        rows = plan.batch_rows if end is None else min(plan.batch_rows, end - start)
        return {"skip_features": start, "batch_size": max(1, rows)}
    fid = quoted(str(pyogrio.read_info(dataset.path, layer=plan.source.layer)["fid_column"]))
    bounds = [f"{fid} >= {chunk.start}"] if chunk.start is not None else []
    bounds += [f"{fid} < {chunk.end}"] if chunk.end is not None else []
    return {"where": " AND ".join(bounds)}


def _before(batch: pa.RecordBatch, end: int) -> pa.RecordBatch:
    return batch.filter(pc.less(batch.column(0), end))


def _converted(batch: pa.RecordBatch, plan: VectorPlan, altered: Alterations) -> Batch:
    # By position, since names may be there twice: the id, the columns in order, the geometry.
    geometry = batch.column(batch.num_columns - 1)
    return Batch(
        ids=batch.column(0).to_pylist(),
        geometries=geometry.to_pylist(),
        columns=[
            _CONVERTERS.get(ColumnType(column.type), _plain)(batch.column(position), column.name, altered)
            for position, column in enumerate(plan.columns, start=1)
        ],
        kinds=wkb.kinds(geometry),
    )


def _plain(column: pa.Array, name: str, altered: Alterations) -> Values:
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError):
        # A date or time that Python has no value for, e.g. of the year 20240.
        return [_or_none(one, name, altered) for one in column]


def _or_none(scalar: pa.Scalar, name: str, altered: Alterations) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        altered.add(IMPOSSIBLE_VALUE, name)
        return None


def _texts(column: pa.Array, name: str, altered: Alterations) -> Values:
    values = _decoded(column, name, altered)
    if any(value is not None and "\x00" in value for value in values):
        values = [_without_nul(value, name, altered) for value in values]
    return values


def _decoded(column: pa.Array, name: str, altered: Alterations) -> Values:
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        return [_text(value, name, altered) for value in column.cast(pa.binary()).to_pylist()]


def _text(value: bytes | None, name: str, altered: Alterations) -> str | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        altered.add(READ_AS_LATIN1, name)
        return value.decode("latin-1")


def _without_nul(value: str | None, name: str, altered: Alterations) -> str | None:
    if value is None or "\x00" not in value:
        return value
    altered.add(NUL_REMOVED, name)
    return value.replace("\x00", "")


def _text_lists(column: pa.Array, name: str, altered: Alterations) -> Values:
    return [
        None if values is None else [_without_nul(value, name, altered) for value in values] for values in _plain(column, name, altered)
    ]


def _times(column: pa.Array, name: str, altered: Alterations) -> Values:
    return [_time(value, name, altered) for value in column.to_pylist()]


def _time(value: str | None, name: str, altered: Alterations) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value.replace("/", "-"))
    except ValueError:
        altered.add(IMPOSSIBLE_VALUE, name)
        return None
    if time.tzinfo is None:
        altered.add(ZONE_MISSING, name)
        return time.replace(tzinfo=UTC)
    return time


def _documents(column: pa.Array, name: str, altered: Alterations) -> Values:
    plain = column.storage if isinstance(column, pa.ExtensionArray) else column
    return [None if value is None else Jsonb(_document(value, name, altered)) for value in _decoded(plain, name, altered)]


def _document(value: str, name: str, altered: Alterations) -> Any:
    """GDAL hands out a column of mixed values as JSON, but the strings in it bare."""
    try:
        return _clean(json.loads(value, parse_constant=_refuse_constant, parse_float=_finite), name, altered)
    except (ValueError, RecursionError):
        return _clean(value, name, altered)


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is beyond a float")
    return number


def _clean(value: Any, name: str, altered: Alterations) -> Any:
    if isinstance(value, str):
        text = _without_nul(value, name, altered)
        return None if text is None else text.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_clean(item, name, altered) for item in value]
    if isinstance(value, dict):
        return {_clean(key, name, altered): _clean(item, name, altered) for key, item in value.items()}
    return value


_CONVERTERS: dict[ColumnType, Callable[[pa.Array, str, Alterations], Values]] = {
    ColumnType.TEXT: _texts,
    ColumnType.TEXTS: _text_lists,
    ColumnType.TIMESTAMPTZ: _times,
    ColumnType.JSONB: _documents,
}


def merged(reports: Sequence[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    """The alterations of several parts, added up."""
    total = Alterations()
    for report in reports:
        for what, columns in report.items():
            for column, values in columns.items():
                total.add(what, column, values)
    return total.listed()
