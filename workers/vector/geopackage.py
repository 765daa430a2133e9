"""Tables as layers of a GeoPackage, streamed: COPY hands out rows, GDAL takes them in batches of so many bytes.

Layer and columns are called as in PostGIS; what a column was called in the source is its alias. The table's key is the file's,
where the rows are a table of their own. A type that a GeoPackage does not have becomes text, exactly: numeric and time as
PostgreSQL writes them, jsonb and arrays as JSON. The same rows make the same file, byte by byte.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pyarrow as pa
import pyogrio
from psycopg import sql
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError
from pyogrio.raw import write_arrow

from codegen.messages.vector import PlannedColumn, VectorReport
from workers.errors import TaskError
from workers.geo_table import ColumnType
from workers.vector import publish

MEDIA_TYPE = "application/geopackage+sqlite3"
BATCH_BYTES = 16 * 1024**2
BATCH_ROWS = 50_000

_KEY = "objectid"
_UNWRITTEN = (DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError, pa.ArrowException, RuntimeError)
"""RuntimeError is pyogrio's word for a stream of batches that broke off."""
_GEOMETRIES = {
    name.upper(): name for name in ("Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection")
}


@dataclass(frozen=True)
class _Form:
    """How a type of column reaches the file: what is asked for, what COPY calls that, what Arrow does."""

    copied: str
    arrow: pa.DataType
    asked: LiteralString = "t.{column}"
    differs: LiteralString | None = None
    """True of values that the file cannot have as they are."""
    as_what: str = ""
    """What becomes of these."""
    is_json: bool = False


_MOMENT: LiteralString = "t.{column} BETWEEN '0001-01-01Z' AND '9999-12-31 23:59:59.999999Z'"
_DAY: LiteralString = "t.{column} BETWEEN '0001-01-01' AND '9999-12-31'"
_JSON = _Form("text", pa.string(), "to_jsonb(t.{column})::text", is_json=True)
_TEXT = _Form("text", pa.string(), "t.{column}::text")
_NAN: LiteralString = "t.{column} = 'NaN'"

_FORMS = {
    ColumnType.BOOLEAN: _Form("bool", pa.bool_()),
    ColumnType.SMALLINT: _Form("int2", pa.int16()),
    ColumnType.INTEGER: _Form("int4", pa.int32()),
    ColumnType.BIGINT: _Form("int8", pa.int64()),
    ColumnType.NUMERIC: _TEXT,
    ColumnType.REAL: _Form("float4", pa.float32(), differs=_NAN, as_what="NaN became NULL"),
    ColumnType.DOUBLE: _Form("float8", pa.float64(), differs=_NAN, as_what="NaN became NULL"),
    ColumnType.TEXT: _TEXT,
    ColumnType.DATE: _Form(
        "int4", pa.date32(), "CASE WHEN " + _DAY + " THEN t.{column} - date '1970-01-01' END",
        "NOT (" + _DAY + ")", "dates beyond the years 1 to 9999 became NULL",
    ),
    ColumnType.TIME: _TEXT,
    ColumnType.TIMESTAMPTZ: _Form(
        "int8", pa.timestamp("ms", "UTC"),
        "CASE WHEN " + _MOMENT + " THEN floor(extract(epoch FROM t.{column}) * 1000)::bigint END",
        # The last second before 1970 is rounded by GDAL.
        "NOT (" + _MOMENT + ") OR t.{column} <> date_trunc('milliseconds', t.{column})"
        " OR (t.{column} > '1969-12-31 23:59:59Z' AND t.{column} < '1970-01-01Z')",
        "times have milliseconds, and years from 1 to 9999",
    ),
    ColumnType.BYTEA: _Form("bytea", pa.binary()),
    ColumnType.JSONB: _JSON,
    ColumnType.BOOLEANS: _JSON,
    ColumnType.INTEGERS: _JSON,
    ColumnType.BIGINTS: _JSON,
    ColumnType.DOUBLES: _JSON,
    ColumnType.TEXTS: _JSON,
}  # fmt: skip


@contextmanager
def dated(moment: datetime) -> Iterator[None]:
    """Within it, files that are written say that they are of this moment, and not of now."""
    said = f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": said})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def write(connection: psycopg.Connection[Any], path: Path, report: VectorReport, table: str, check: Callable[[], None]) -> None:
    """Add the rows of `table`, which the report is of, to the file as a layer; a file that is not there is made."""
    fields = _fields(report)
    schema = pa.schema([field for field, _ in fields])
    is_z = report.geometry_type.endswith("Z")
    kind = _GEOMETRIES.get(report.geometry_type.removesuffix("Z"))
    batches = _batches(connection, table, schema, [form for _, form in fields], check)
    failures: list[BaseException] = []
    try:
        with closing(batches):
            write_arrow(
                pa.RecordBatchReader.from_batches(schema, _remembering(batches, failures)),
                path,
                layer=publish.name_of(report),
                driver="GPKG",
                geometry_name=report.geometry_column,
                geometry_type="Unknown" if kind is None else f"{kind} Z" if is_z else kind,
                crs=f"EPSG:{report.srid}",
                layer_options={
                    "FID": _KEY if report.swapped else _free(report.columns),
                    "GEOMETRY_NAME": report.geometry_column,
                    "DESCRIPTION": _plain(f"{report.source.layer}, from {report.source.file}"),
                },
            )
    except _UNWRITTEN as error:
        if failures:
            raise failures[0] from None
        raise _unwritten("GDAL cannot write it") from error


def require_whole(path: Path, reports: Sequence[VectorReport]) -> None:
    """Prove that a file that was written holds every row, and can be read to its end."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as file:
            [(state,)] = file.execute("PRAGMA quick_check(1)").fetchall()
            if state != "ok":
                raise _unwritten("what was written cannot be read")
            for report in reports:
                name = publish.name_of(report).replace('"', '""')
                [(rows,)] = file.execute(f'SELECT count(*) FROM "{name}"').fetchall()  # noqa: S608 (SQLite; the name is quoted)
                if rows != report.rows:
                    raise _unwritten(f"{name} has {rows} rows instead of {report.rows}")
    except sqlite3.Error as error:
        raise _unwritten("what was written cannot be read") from error


def differences(connection: psycopg.Connection[Any], reports: Sequence[tuple[VectorReport, str]]) -> dict[str, int]:
    """How many values a GeoPackage cannot have as the tables have them, by column and what becomes of them."""
    found: Counter[str] = Counter()
    for report, table in reports:
        columns = [(column.name, form) for column in report.columns if (form := _FORMS[ColumnType(column.type)]).differs is not None]
        if not columns:
            continue
        counts = [
            sql.SQL("count(*) FILTER (WHERE {})").format(sql.SQL(form.differs or "").format(column=sql.Identifier(name)))
            for name, form in columns
        ]
        query = sql.SQL("SELECT {} FROM {} AS t").format(sql.SQL(", ").join(counts), sql.Identifier(publish.SCHEMA, table))
        [row] = connection.execute(query).fetchall()
        found.update({f"{name} ({form.as_what})": n for (name, form), n in zip(columns, row, strict=True)})
    return {what: n for what, n in found.items() if n}


def _fields(report: VectorReport) -> list[tuple[pa.Field, _Form]]:
    """The file's columns, in order: key, the source's own, geometry."""
    originals = Counter(column.original for column in report.columns)
    key = _Form("int4", pa.int32())
    geometry = _Form("bytea", pa.binary(), "public.ST_AsBinary(t.{column})")
    fields = [(pa.field(_KEY, key.arrow), key)] if report.swapped else []
    for column in report.columns:
        form = _FORMS[ColumnType(column.type)]
        told = {"GDAL:OGR:comment": f"{_plain(column.original)} in the source"}
        # Aliases are unique in a layer.
        if column.original != column.name and originals[column.original] == 1:
            told["GDAL:OGR:alternative_name"] = _plain(column.original)
        if form.is_json:
            told["GDAL:OGR:subtype"] = "JSON"
        fields.append((pa.field(column.name, form.arrow, metadata=told), form))
    return [*fields, (pa.field(report.geometry_column, geometry.arrow), geometry)]


def _batches(
    connection: psycopg.Connection[Any], table: str, schema: pa.Schema, forms: Sequence[_Form], check: Callable[[], None]
) -> Generator[pa.RecordBatch, None, None]:
    """The rows, in the order of their keys."""
    asked = [sql.SQL(form.asked).format(column=sql.Identifier(name)) for name, form in zip(schema.names, forms, strict=True)]
    query = sql.SQL("COPY (SELECT {} FROM {} AS t ORDER BY t.objectid) TO STDOUT (FORMAT BINARY)").format(
        sql.SQL(", ").join(asked), sql.Identifier(publish.SCHEMA, table)
    )
    long = [number for number, form in enumerate(forms) if form.copied in ("text", "bytea")]
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        copy.set_types([form.copied for form in forms])
        rows: list[tuple[Any, ...]] = []
        size = 0
        for row in copy.rows():
            rows.append(row)
            size += sum(len(row[number] or b"") for number in long)
            if size >= BATCH_BYTES or len(rows) >= BATCH_ROWS:
                check()
                yield _batch(rows, schema)
                rows, size = [], 0
        if rows:
            yield _batch(rows, schema)


def _batch(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(zip(*rows, strict=True), schema, strict=True)
    return pa.record_batch([pa.array(values, type=field.type) for values, field in columns], schema=schema)


def _remembering(batches: Iterator[pa.RecordBatch], failures: list[BaseException]) -> Iterator[pa.RecordBatch]:
    """The same; what is raised has to pass through C, which keeps nothing but its text."""
    try:
        yield from batches
    except BaseException as error:
        failures.append(error)
        raise


def _free(columns: Sequence[PlannedColumn]) -> str:
    """A name for the key that no column has."""
    taken = {column.name for column in columns}
    return next(name for number in count(1) if (name := "fid" if number == 1 else f"fid_{number}") not in taken)


def _plain(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _unwritten(why: str) -> TaskError:
    return TaskError(
        "DOWNLOAD_NOT_WRITTEN", f"The GeoPackage could not be written: {why}", category="system", retryable=True, field="download",
        remediation="Look at the messages, and at the free space of the storage; or leave download out",
    )  # fmt: skip
