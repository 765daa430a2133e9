"""Small schemas of a test's own, in place of geomill's: the models of a module as what a database is to become.

Such a module is written as codegen/models is: its `Table` classes are the tables of schema `app`. Besides these it may say
ENUMS (type name to enum class), FUNCTIONS (statements, each run once all tables are there) and HOT (tables of the claim path).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from functools import cache
from pathlib import Path

from codegen import ddl, desired, introspect, templates
from codegen.ddl import PHASES, Statement
from codegen.desired import Desired
from codegen.models.base import Table

SCHEMA = "app"


def module(path: Path) -> Desired:
    """What the models of a file describe."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    said = vars(loaded)
    models = [
        found for found in said.values() if isinstance(found, type) and issubclass(found, Table) and found.__module__ == loaded.__name__
    ]
    return schema(models, said.get("ENUMS", {}), said.get("FUNCTIONS", ()), said.get("HOT", ()))


def schema(
    models: Iterable[type[Table]], enums: Mapping[str, type[StrEnum]], functions: Iterable[str] = (), hot: Iterable[str] = ()
) -> Desired:
    """What some models describe, with the functions that their triggers call."""
    types = {SCHEMA: dict(enums)}
    tables = introspect.tables(models, types)
    labels = introspect.enum_types(types)
    made = ddl.schema_statements(SCHEMA, labels, tables)
    called = [one for one in _of_triggers() if any(f"{one.name}(" in other.sql for other in made if other.phase == "triggers")]
    own = [Statement("functions", "function", f"{SCHEMA} {number}", text) for number, text in enumerate(functions)]
    ordered = [replace(one, schema=SCHEMA) for phase in PHASES for one in (*made, *called, *own) if one.phase == phase]
    return Desired((SCHEMA,), tuple(ordered), desired.renames(tables, labels), frozenset(hot))


@cache
def _of_triggers() -> list[Statement]:
    """The functions that generated triggers call, as every schema of geomill's has them."""
    return [one for one in templates.render(SCHEMA) if one.name in (f"{SCHEMA}.update_updated_at_column", f"{SCHEMA}.refuse_transition")]
