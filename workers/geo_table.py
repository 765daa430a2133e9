"""The DDL of a table in schema geo: standard columns, geometry, the source's own columns, indexes, trigger, comments.

Usable on its own: it takes a GeoDataFrame or the description of a layer and returns statements, and never a connection.

    builder = GeoTableBuilder(geometry_column=GeometryColumn.POSTGIS)
    for statement in builder.create_complete_ddl(countries, "countries"):
        connection.execute(statement)

Names. A column's name is its source's: lower case, whatever is not [a-z0-9_] an underscore, an underscore before a leading
digit, `column` where nothing is left. Reserved words stay as they are, for every identifier is quoted. A name that is taken
(by a standard column, by one of PostgreSQL's system columns, by a column before it) gets _2, _3 and so on. A name of more than
63 bytes keeps its first 54 and ends in eight hex digits of the SHA-256 of the whole. Whoever wants another name gives it.
`name_columns` returns the map, and the columns' comments keep the original names.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from psycopg import sql

from workers.errors import TaskError

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

LONGEST_NAME = 63
MOST_COLUMNS = 1500
"""PostgreSQL's limit is 1600 a table; the rest is left to whoever alters the table later."""

_DIGEST = 8
_TABLE_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_GEOMETRY_TYPE = re.compile(r"(GEOMETRY|POINT|LINESTRING|POLYGON|MULTIPOINT|MULTILINESTRING|MULTIPOLYGON|GEOMETRYCOLLECTION)(Z|M|ZM)?")
_SYSTEM_COLUMNS = ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")


class GeometryColumn(StrEnum):
    """What the geometry column is called."""

    POSTGIS = "geom"
    ARCGIS = "shape"


class ColumnType(StrEnum):
    """The types that a column of a source may become."""

    BOOLEAN = "boolean"
    SMALLINT = "smallint"
    INTEGER = "integer"
    BIGINT = "bigint"
    NUMERIC = "numeric"
    REAL = "real"
    DOUBLE = "double precision"
    TEXT = "text"
    DATE = "date"
    TIME = "time"
    TIMESTAMPTZ = "timestamptz"
    BYTEA = "bytea"
    JSONB = "jsonb"
    BOOLEANS = "boolean[]"
    INTEGERS = "integer[]"
    BIGINTS = "bigint[]"
    DOUBLES = "double precision[]"
    TEXTS = "text[]"


@dataclass(frozen=True)
class SourceColumn:
    """A column as the source has it."""

    original: str
    type: ColumnType


@dataclass(frozen=True)
class TableColumn:
    """A column as the table has it."""

    name: str
    type: ColumnType
    original: str


@dataclass(frozen=True)
class LayerDescription:
    """What a layer of a file needs to become a table. The geometry's type is PostGIS's: MULTIPOLYGON, POINTZ, GEOMETRY."""

    columns: Sequence[SourceColumn]
    geometry_type: str
    srid: int = 4326

    @classmethod
    def of_frame(cls, frame: GeoDataFrame) -> LayerDescription:
        """The description of a GeoDataFrame: its columns in order, types by what they hold, no row read twice."""
        geometry = frame.geometry
        srid = None if geometry.crs is None else geometry.crs.to_epsg()
        if srid is None:
            raise TaskError(
                "CRS_MISSING", "The GeoDataFrame has no CRS with an EPSG code", category="user", field="source",
                remediation="Set it with set_crs, or reproject with to_crs",
            )  # fmt: skip
        geometry_name = geometry.name
        columns = [
            SourceColumn(str(name), _type_of_series(frame.iloc[:, position]))
            for position, name in enumerate(frame.columns)
            if name != geometry_name
        ]
        present = geometry[geometry.notna()]
        types = {str(name).upper() for name in present.geom_type.unique()}
        return cls(columns, column_geometry(types, has_z=bool(present.has_z.any())), srid)


STANDARD_COLUMNS: dict[str, tuple[str, str]] = {
    "objectid": ("integer", "Key of the row, as ArcGIS names it"),
    "created_at": ("timestamptz NOT NULL DEFAULT now()", "Row made at"),
    "updated_at": ("timestamptz NOT NULL DEFAULT now()", "Row last changed at; kept by a trigger"),
    "source_file": ("varchar(500)", "Name of the file that the row is from"),
    "source_format": ("varchar(50)", "Format of that file"),
    "source_crs": ("varchar(50)", "CRS of that file: EPSG:n, or a short name"),
    "stac_item_id": ("varchar(600)", "STAC item of the table"),
    "stac_collection_id": ("varchar(100)", "STAC collection of that item"),
    "etl_job_id": ("varchar(64)", "Job that made the row"),
    "etl_batch_id": ("varchar(100)", "Part of that job"),
}
"""Name, type and comment of the columns that every table has, in order."""

INDEXED = ("stac_item_id", "stac_collection_id", "etl_job_id", "created_at")


def bounded(name: str) -> str:
    """The name itself if it fits PostgreSQL's 63 bytes, else its beginning and a digest of the whole."""
    encoded = name.encode()
    if len(encoded) <= LONGEST_NAME:
        return name
    kept = encoded[: LONGEST_NAME - _DIGEST - 1].decode(errors="ignore")
    return f"{kept}_{hashlib.sha256(encoded).hexdigest()[:_DIGEST]}"


def index_name(table: str, column: str, *, is_taken: bool = False) -> str:
    """Name of the index of a column; where another table's index has that (idx_a_b_c serves a.b_c and a_b.c), one with a digest."""
    name = bounded(f"idx_{table}_{column}")
    return _available(name, f"{table}.{name}", {name} if is_taken else set())


def trigger_name(table: str) -> str:
    """Name of the trigger that keeps updated_at."""
    return bounded(f"trg_{table}_updated_at")


def key_name(table: str) -> str:
    """Name of the primary key, and of its index."""
    return bounded(f"{table}_pkey")


def sequence_name(table: str) -> str:
    """Name of the sequence behind objectid."""
    return bounded(f"{table}_objectid_seq")


def column_geometry(types: Iterable[str], *, has_z: bool = False) -> str:
    """The type of a geometry column that holds these types, rows being promoted to multi: POINT alone stays POINT."""
    found = set(types)
    suffix = "Z" if has_z else ""
    for single, multi in (("POINT", "MULTIPOINT"), ("LINESTRING", "MULTILINESTRING"), ("POLYGON", "MULTIPOLYGON")):
        # A ring is a line to everyone but shapely.
        if found and found <= {single, multi, *(["LINEARRING"] if single == "LINESTRING" else [])}:
            return ("POINT" if found == {"POINT"} else multi) + suffix
    return "GEOMETRY" + suffix


class GeoTableBuilder:
    """Makes the statements for tables whose geometry column is called `geom` or `shape`."""

    def __init__(self, geometry_column: GeometryColumn = GeometryColumn.POSTGIS) -> None:
        self.geometry_column = GeometryColumn(geometry_column)

    def name_columns(self, columns: Iterable[SourceColumn], wanted: Mapping[str, Any] | None = None) -> list[TableColumn]:
        """The names that the source's columns get in the table: as wanted, by original name, else by the rule of the module's head."""
        reserved = {*STANDARD_COLUMNS, self.geometry_column.value, *_SYSTEM_COLUMNS}
        sources = list(columns)
        wanted = {} if wanted is None else wanted
        _require_map(wanted, [column.original for column in sources], reserved)
        taken = {*reserved, *wanted.values()}
        named: list[TableColumn] = []
        for column in sources:
            if column.original in wanted:
                named.append(TableColumn(wanted[column.original], column.type, column.original))
                continue
            plain = _plain_name(column.original)
            name, number = plain, 1
            while name in taken:
                number += 1
                suffix = f"_{number}"
                name = plain[: LONGEST_NAME - len(suffix)] + suffix
            taken.add(name)
            named.append(TableColumn(name, column.type, column.original))
        if len(named) > MOST_COLUMNS:
            raise TaskError(
                "TOO_MANY_COLUMNS", f"The source has {len(named)} columns; a table takes {MOST_COLUMNS}", category="data",
                remediation="Leave columns out, or turn them into rows",
            )  # fmt: skip
        return named

    def create_complete_ddl(
        self,
        source: GeoDataFrame | LayerDescription,
        table_name: str,
        schema: str = "geo",
        *,
        column_map: Mapping[str, str] | None = None,
        indexes: Sequence[str] = (),
        comment: str | None = None,
        readers: Sequence[str] = (),
    ) -> list[sql.Composed]:
        """Everything that makes an empty table complete, in the order to execute it.

        `column_map` gives names to columns of the source, `indexes` are columns of the table, `readers` are roles.
        """
        layer = source if isinstance(source, LayerDescription) else LayerDescription.of_frame(source)
        columns = self.name_columns(layer.columns, column_map)
        return [
            self.create_table(columns, layer.geometry_type, table_name, schema, srid=layer.srid),
            *self.complete_table(columns, table_name, schema, indexes=indexes, comment=comment),
            *(sql.SQL("GRANT SELECT ON {} TO {}").format(sql.Identifier(schema, table_name), sql.Identifier(reader)) for reader in readers),
        ]

    def create_table(
        self, columns: Sequence[TableColumn], geometry_type: str, table_name: str, schema: str = "geo", *, srid: int = 4326
    ) -> sql.Composed:
        """The bare table in its final layout, for loading: no key, no index, no trigger."""
        _require(table_name, geometry_type)
        definitions = [
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(type_))
            if name != "objectid"
            else sql.SQL("{} {} GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME {})").format(
                sql.Identifier(name), sql.SQL(type_), sql.Identifier(schema, sequence_name(table_name))
            )
            for name, (type_, _) in STANDARD_COLUMNS.items()
        ]
        definitions.append(
            sql.SQL("{} public.geometry({}, {})").format(
                sql.Identifier(self.geometry_column.value), sql.SQL(geometry_type), sql.Literal(int(srid))
            )
        )
        definitions += [sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(ColumnType(column.type).value)) for column in columns]
        return sql.SQL("CREATE TABLE {} (\n    {}\n)").format(sql.Identifier(schema, table_name), sql.SQL(",\n    ").join(definitions))

    def complete_table(
        self,
        columns: Sequence[TableColumn],
        table_name: str,
        schema: str = "geo",
        *,
        indexes: Sequence[str] = (),
        comment: str | None = None,
    ) -> list[sql.Composed]:
        """What a loaded table lacks: key, indexes, trigger, comments."""
        table = sql.Identifier(schema, table_name)
        statements = [
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} PRIMARY KEY (objectid)").format(table, sql.Identifier(key_name(table_name))),
        ]
        for column in self.indexed_columns(columns, indexes):
            method = sql.SQL("gist" if column == self.geometry_column.value else "btree")
            statements.append(
                sql.SQL("CREATE INDEX {} ON {} USING {} ({})").format(
                    sql.Identifier(index_name(table_name, column)), table, method, sql.Identifier(column)
                )
            )
        statements.append(
            sql.SQL("CREATE TRIGGER {} BEFORE UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION geo.update_updated_at_column()").format(
                sql.Identifier(trigger_name(table_name)), table
            )
        )
        if comment is not None:
            statements.append(sql.SQL("COMMENT ON TABLE {} IS {}").format(table, sql.Literal(comment)))
        comments = {name: text for name, (_, text) in STANDARD_COLUMNS.items()}
        comments |= {column.name: f"{column.original} in the source" for column in columns}
        statements += [
            sql.SQL("COMMENT ON COLUMN {} IS {}").format(sql.Identifier(schema, table_name, name), sql.Literal(_without_nul(text)))
            for name, text in comments.items()
        ]
        return statements

    def indexed_columns(self, columns: Sequence[TableColumn], indexes: Sequence[str] = ()) -> list[str]:
        """The columns that get an index: the geometry, the standard ones, those asked for."""
        known = {column.name: column for column in columns}
        for name in indexes:
            if name not in known and name not in STANDARD_COLUMNS:
                raise TaskError(
                    "INDEX_COLUMN_UNKNOWN", f"There is no column {name} to index", category="user", field="indexes", value=name,
                    remediation=f"Use one of: {', '.join(known)}",
                )  # fmt: skip
            if name in known and known[name].type == ColumnType.JSONB:
                raise TaskError(
                    "INDEX_COLUMN_TYPE", f"Column {name} is jsonb, which a B-tree index does not serve", category="user", field="indexes",
                    value=name, remediation="Leave it out",
                )  # fmt: skip
        wanted = [self.geometry_column.value, *INDEXED, *(name for name in indexes if name != "objectid")]
        return list(dict.fromkeys(wanted))


def rename_statements(
    indexed: Sequence[str], old_name: str, new_name: str, schema: str = "geo", *, taken: Iterable[str] = ()
) -> list[sql.Composed]:
    """Give a complete table another name, and everything that is named after it. No relation may have the new name.

    `taken` are names in the schema that indexes cannot have, because another table's index has them (idx_a_b_c serves a.b_c
    and a_b.c); such an index ends in a digest instead.
    """
    _require(new_name)
    unavailable = set(taken)
    statements = [
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(sql.Identifier(schema, old_name), sql.Identifier(new_name)),
        sql.SQL("ALTER SEQUENCE {} RENAME TO {}").format(
            sql.Identifier(schema, sequence_name(old_name)), sql.Identifier(_available(sequence_name(new_name), new_name, unavailable))
        ),
        sql.SQL("ALTER TRIGGER {} ON {} RENAME TO {}").format(
            sql.Identifier(trigger_name(old_name)), sql.Identifier(schema, new_name), sql.Identifier(trigger_name(new_name))
        ),
    ]
    # A constraint's index carries its name, and renaming one renames the other.
    names = [(key_name(old_name), key_name(new_name)), *((index_name(old_name, c), index_name(new_name, c)) for c in indexed)]
    statements += [
        sql.SQL("ALTER INDEX {} RENAME TO {}").format(
            sql.Identifier(schema, old), sql.Identifier(_available(new, f"{new_name}.{new}", unavailable))
        )
        for old, new in names
    ]
    return statements


def named_after(table_name: str, indexed: Sequence[str]) -> list[str]:
    """The names in the schema that a table and what belongs to it want."""
    return [table_name, sequence_name(table_name), key_name(table_name), *(index_name(table_name, column) for column in indexed)]


def _available(name: str, identity: str, unavailable: set[str]) -> str:
    if name not in unavailable:
        return name
    return f"{name[: LONGEST_NAME - _DIGEST - 1]}_{hashlib.sha256(identity.encode()).hexdigest()[:_DIGEST]}"


def _plain_name(original: str) -> str:
    name = re.sub(r"[^a-z0-9_]", "_", original.lower()) or "column"
    if name[0].isdigit():
        name = f"_{name}"
    if len(name) <= LONGEST_NAME:
        return name
    # The digest is of the original, so that two long names that differ only in what became underscores stay apart.
    return f"{name[: LONGEST_NAME - _DIGEST - 1]}_{hashlib.sha256(original.encode('utf-8', 'surrogatepass')).hexdigest()[:_DIGEST]}"


def _without_nul(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _require(table_name: str, geometry_type: str = "GEOMETRY") -> None:
    """Refuse what cannot be the name of a table, or the type of its geometry."""
    if not _TABLE_NAME.fullmatch(table_name) or len(table_name) > LONGEST_NAME:
        raise TaskError(
            "TABLE_NAME_REFUSED", f"{table_name!r} cannot be a table's name", category="user", field="table_name", value=table_name,
            remediation="Use lower case letters, digits and underscores, at most 63, not beginning with a digit",
        )  # fmt: skip
    if not _GEOMETRY_TYPE.fullmatch(geometry_type):
        raise TaskError(
            "GEOMETRY_TYPE_REFUSED", f"{geometry_type!r} is no geometry type of a column", category="user", field="geometry_type",
            value=geometry_type, remediation="Use one such as MULTIPOLYGON, POINTZ or GEOMETRY",
        )  # fmt: skip


def _require_map(wanted: Mapping[str, Any], originals: list[str], reserved: set[str]) -> None:
    """Refuse a map that names columns that are not there, or twice, or as a table cannot have them."""
    chosen = list(wanted.values())
    for original, name in wanted.items():
        why = None
        if originals.count(original) != 1:
            why = "the source has no column of that name" if original not in originals else "the source has it more than once"
        elif not isinstance(name, str) or not _TABLE_NAME.fullmatch(name) or len(name) > LONGEST_NAME:
            why = "a name is of lower case letters, digits and underscores, at most 63, and does not begin with a digit"
        elif name in reserved:
            why = "every table has a column of that name"
        elif chosen.count(name) > 1:
            why = "two columns would have that name"
        if why is not None:
            raise TaskError(
                "COLUMN_MAP_REFUSED", f"column_map: {original!r} cannot become {name!r}: {why}", category="user", field="column_map",
                value={original: name}, remediation=f"The source has: {', '.join(originals)[:1000]}",
            )  # fmt: skip


_BY_KIND = {
    "boolean": ColumnType.BOOLEAN,
    "string": ColumnType.TEXT,
    "bytes": ColumnType.BYTEA,
    "floating": ColumnType.DOUBLE,
    "mixed-integer-float": ColumnType.DOUBLE,
    "decimal": ColumnType.NUMERIC,
    "datetime": ColumnType.TIMESTAMPTZ,
    "datetime64": ColumnType.TIMESTAMPTZ,
    "date": ColumnType.DATE,
    "time": ColumnType.TIME,
    "empty": ColumnType.TEXT,
}
"""By pandas' word for what a column of objects holds. Anything else is text."""


def _type_of_series(series: Any) -> ColumnType:
    """The type that holds every value of a pandas column."""
    import pandas as pd

    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _type_of_series(series.cat.categories.to_series())
    if pd.api.types.is_bool_dtype(dtype):
        return ColumnType.BOOLEAN
    if pd.api.types.is_integer_dtype(dtype):
        if pd.api.types.is_unsigned_integer_dtype(dtype) and dtype.itemsize == 8:
            return ColumnType.NUMERIC
        signed = dtype.itemsize * (2 if pd.api.types.is_unsigned_integer_dtype(dtype) else 1)
        return ColumnType.SMALLINT if signed <= 2 else ColumnType.INTEGER if signed == 4 else ColumnType.BIGINT
    if pd.api.types.is_float_dtype(dtype):
        return ColumnType.REAL if dtype.itemsize <= 4 else ColumnType.DOUBLE
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return ColumnType.TIMESTAMPTZ
    kind = pd.api.types.infer_dtype(series, skipna=True)
    if kind == "integer":
        values = [int(value) for value in series.dropna()]
        return ColumnType.BIGINT if all(-(2**63) <= value < 2**63 for value in values) else ColumnType.NUMERIC
    if kind == "mixed" and all(isinstance(value, dict | list | tuple) for value in series.dropna()):
        return ColumnType.JSONB
    return _BY_KIND.get(kind, ColumnType.TEXT)
