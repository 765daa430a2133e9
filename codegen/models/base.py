"""What a table needs beyond Pydantic, and nowhere else: `table(...)` for the table, `Column(...)` for a field.

A model class is a table; its fields are the columns, in order. Types, nullability, defaults and checks come from the
Pydantic field; keys, references, generated expressions and storage come from here. SQL expressions given here are
PostgreSQL text and are rendered by the server when the shadow is built, so they are written once and compared never.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import core_schema

from codegen.models.storable import guarded

Action = Literal["no action", "restrict", "cascade", "set null"]


@dataclass(frozen=True)
class Column:
    """What Pydantic cannot say about a column."""

    primary_key: bool = False
    identity: bool = False
    unique: bool = False
    references: str | None = None
    """`schema.table` of the same schema; its primary key is meant."""
    on_delete: Action = "no action"
    refers_to: str | None = None
    """`schema.table` that the value is a key of, where there is no foreign key: for the documentation, nothing checks it."""
    generated: str | None = None
    """The expression of a `GENERATED ALWAYS AS (…) STORED` column."""
    array: bool = False
    """A list of scalars becomes a PostgreSQL array instead of jsonb."""
    default: str | None = None
    """A SQL default, where a Python value or an allowed factory cannot say it."""
    renamed_from: str | None = None
    """What the column was called until now: its values are kept. Without it a new name is a new column."""


@dataclass(frozen=True)
class Index:
    """One index: `columns` are column names or expressions, each with its optional DESC."""

    columns: tuple[str, ...]
    where: str | None = None
    unique: bool = False
    method: Literal["btree", "gin", "gist", "brin", "hash"] = "btree"
    include: tuple[str, ...] = ()
    name: str | None = None
    """Default: `idx_<table>_<columns>`."""


@dataclass(frozen=True)
class Check:
    """A named check over several columns; one over a single column comes from its Pydantic field."""

    name: str
    expression: str


@dataclass(frozen=True)
class Policy:
    """A row-level security policy. A table with policies has row-level security enabled and forced."""

    name: str
    role: str
    using: str
    command: Literal["all", "select", "insert", "update", "delete"] = "all"


@dataclass(frozen=True)
class TableOptions:
    schema: str
    name: str
    unique: tuple[tuple[str, ...], ...] = ()
    primary_key: tuple[str, ...] = ()
    """A composite key; a single one stands in its `Column`."""
    indexes: tuple[Index, ...] = ()
    checks: tuple[Check, ...] = ()
    policies: tuple[Policy, ...] = ()
    grants: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Role to privileges on the table, e.g. `{"geomill_api": ("SELECT", "INSERT")}`."""
    fillfactor: int | None = None
    storage: dict[str, str] = field(default_factory=dict)
    """Further storage parameters, as in `WITH (…)`."""
    unlogged: bool = False
    only_these_indexes: str | None = None
    """Why the index strategy (foreign keys, status, timestamps) does not apply: a hot table pays for each index."""
    no_column_checks: str | None = None
    """Why the bounds of its fields are the model's alone: each UPDATE reads and plans every CHECK of the table anew."""
    renamed_from: str | None = None
    """What the table was called until now, in the same schema: its rows are kept."""


def table(
    *,
    schema: str,
    name: str,
    unique: list[tuple[str, ...]] | None = None,
    primary_key: tuple[str, ...] = (),
    indexes: list[Index] | None = None,
    checks: list[Check] | None = None,
    policies: list[Policy] | None = None,
    grants: dict[str, tuple[str, ...]] | None = None,
    fillfactor: int | None = None,
    storage: dict[str, str] | None = None,
    unlogged: bool = False,
    only_these_indexes: str | None = None,
    no_column_checks: str | None = None,
    renamed_from: str | None = None,
) -> TableOptions:
    """The table behind a model class; see `TableOptions` for the meaning of each argument."""
    return TableOptions(
        schema=schema,
        name=name,
        unique=tuple(unique or ()),
        primary_key=primary_key,
        indexes=tuple(indexes or ()),
        checks=tuple(checks or ()),
        policies=tuple(policies or ()),
        grants=dict(grants or {}),
        fillfactor=fillfactor,
        storage=dict(storage or {}),
        unlogged=unlogged,
        only_these_indexes=only_these_indexes,
        no_column_checks=no_column_checks,
        renamed_from=renamed_from,
    )


class Table(BaseModel):
    """Base of every table model: strict, and bounded as its columns are, so that Python refuses what the table refuses."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)
    __table__: ClassVar[TableOptions]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        schema = handler(source)
        fields: Any = handler.resolve_ref_schema(schema)
        while fields["type"] != "model-fields":
            fields = fields["schema"]
        for name, made in fields["fields"].items():
            info = source.model_fields[name]
            array = any(isinstance(item, Column) and item.array for item in info.metadata)
            made["schema"] = guarded(made["schema"], info, array=array)
        return schema
