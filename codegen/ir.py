"""The tables as introspection understood them: everything that DDL needs, and nothing of Pydantic."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from codegen.models.base import Action, Index, Policy
from codegen.models.enums import Status


@dataclass(frozen=True)
class Check:
    """A named CHECK constraint."""

    name: str
    expression: sql.Composable


@dataclass(frozen=True)
class ForeignKey:
    """A reference to the primary key of another table of the same schema."""

    name: str
    column: str
    table: str
    referenced_column: str
    on_delete: Action


@dataclass(frozen=True)
class Column:
    """One column."""

    name: str
    sql_type: sql.Composable
    nullable: bool
    comment: str
    default: sql.Composable | None = None
    generated: sql.Composable | None = None
    identity: bool = False
    status: type[Status] | None = None
    """The enum, where its transitions are guarded."""
    is_timestamp: bool = False
    renamed_from: str | None = None
    refers_to: str | None = None
    """`schema.table` that it is a key of without a foreign key."""


@dataclass(frozen=True)
class Unique:
    """A UNIQUE constraint."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class EnumType:
    """An enum type and its labels, in order."""

    schema: str
    name: str
    labels: tuple[str, ...]
    comment: str | None
    renamed: tuple[tuple[str, str], ...] = ()
    """Labels that were called otherwise until now: (old, new)."""


@dataclass(frozen=True)
class Table:
    """One table, with everything that hangs on it."""

    schema: str
    name: str
    comment: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    uniques: tuple[Unique, ...]
    checks: tuple[Check, ...]
    foreign_keys: tuple[ForeignKey, ...]
    indexes: tuple[tuple[str, Index], ...]
    """Each with its name."""
    policies: tuple[Policy, ...]
    grants: tuple[tuple[str, tuple[str, ...]], ...]
    storage: tuple[tuple[str, str], ...]
    unlogged: bool
    only_these_indexes: str | None = None
    """Why the index strategy does not apply, where it does not."""
    renamed_from: str | None = None
