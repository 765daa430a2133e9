"""What a database is to become: schemas, the statements that make them, and what was called otherwise until now.

Deploy takes `ours()`; tests take small schemas of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from codegen import generate, introspect
from codegen.ddl import Statement
from codegen.ir import EnumType, Table
from codegen.models import ENUMS, TABLES

HOT = frozenset(
    {
        "app.jobs",
        "app.stages",
        "app.ready_stages",
        "app.ready_floors",
        "app.tasks",
        "app.task_inputs",
        "app.task_results",
        "app.task_errors",
        "app.workers",
    }
)
"""Tables of the claim path: a lock on one of them stops every worker."""


@dataclass(frozen=True)
class Rename:
    """What a model says it was called until now. Nothing is ever renamed by guessing."""

    kind: Literal["table", "column", "label"]
    of: str
    """The table as it is called now, or the enum type; qualified."""
    old: str
    new: str


@dataclass(frozen=True)
class Desired:
    """Schemas as they should be."""

    schemas: tuple[str, ...]
    statements: tuple[Statement, ...]
    renames: tuple[Rename, ...] = ()
    hot: frozenset[str] = frozenset()
    is_ours: bool = False
    """Whether this is geomill itself, with its workflows, the static schemas and a record of each deploy."""


def ours() -> Desired:
    """What the models, templates and workflows say."""
    renamed = renames(introspect.tables(TABLES, ENUMS), introspect.enum_types(ENUMS))
    return Desired(generate.SCHEMAS, generate.statements(), renamed, HOT, is_ours=True)


def renames(tables: Iterable[Table], types: Iterable[EnumType]) -> tuple[Rename, ...]:
    """The renames that models ask for: tables first, for columns go by their table's new name."""
    made = list(tables)
    return (
        *(Rename("table", f"{table.schema}.{table.name}", table.renamed_from, table.name) for table in made if table.renamed_from),
        *(
            Rename("column", f"{table.schema}.{table.name}", column.renamed_from, column.name)
            for table in made
            for column in table.columns
            if column.renamed_from
        ),
        *(Rename("label", f"{made_type.schema}.{made_type.name}", old, new) for made_type in types for old, new in made_type.renamed),
    )
