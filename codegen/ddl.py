"""IR to DDL: each thing that a schema holds as one named statement.

Statements are grouped in phases; a phase of every schema runs before the next phase of any, so that functions may name
each other's types and tables whichever schema they are in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from psycopg import sql

from codegen.ir import Column, EnumType, Table
from codegen.models.base import Index
from codegen.models.enums import Status
from codegen.quoting import literal, name, names, text

Phase = Literal["types", "tables", "indexes", "functions", "validators", "triggers", "policies", "grants"]
PHASES: tuple[Phase, ...] = ("types", "tables", "indexes", "functions", "validators", "triggers", "policies", "grants")

OWNER = "geomill_owner"

# Who may name things in a schema. What they may do with them is granted thing by thing.
SCHEMA_USERS = {
    "app": ("geomill_api", "geomill_worker", "geomill_admin"),
    "platform": ("geomill_api", "geomill_worker", "geomill_client", "geomill_gateway", "geomill_admin"),
}


@dataclass(frozen=True)
class Statement:
    """One piece of DDL: what it makes, and the SQL that makes it."""

    phase: Phase
    kind: str
    name: str
    """Qualified where the thing has a schema; a trigger and a policy are named `<name> on <table>`."""
    sql: str
    schema: str = ""
    """The schema that it is part of."""


def _statement(phase: Phase, kind: str, named: str, composed: sql.Composable) -> Statement:
    return Statement(phase, kind, named, composed.as_string(None))


def schema(schema_name: str) -> list[Statement]:
    """The schema itself. geomill_api may create in it until its functions are there: it becomes their owner."""
    it = name(schema_name)
    return [
        _statement("types", "schema", schema_name, sql.SQL("CREATE SCHEMA {} AUTHORIZATION {};").format(it, name(OWNER))),
        _statement("types", "schema grant", schema_name, sql.SQL("GRANT CREATE ON SCHEMA {} TO geomill_api;").format(it)),
    ]


def schema_grants(schema_name: str) -> list[Statement]:
    """Who may look into the schema; nobody but its owner creates anything there."""
    it = name(schema_name)
    users = sql.SQL(", ").join([name(user) for user in SCHEMA_USERS[schema_name]])
    return [
        _statement("grants", "schema grant", schema_name, sql.SQL("REVOKE CREATE ON SCHEMA {} FROM geomill_api;").format(it)),
        _statement("grants", "schema grant", schema_name, sql.SQL("GRANT USAGE ON SCHEMA {} TO {};").format(it, users)),
    ]


def enum(made: EnumType) -> list[Statement]:
    """An enum type and its comment."""
    it = name(made.schema, made.name)
    labels = sql.SQL(", ").join([text(label) for label in made.labels])
    comment = text(made.comment) if made.comment else sql.SQL("NULL")
    return [
        _statement("types", "type", f"{made.schema}.{made.name}", sql.SQL("CREATE TYPE {} AS ENUM ({});").format(it, labels)),
        _statement("types", "comment", f"type {made.schema}.{made.name}", sql.SQL("COMMENT ON TYPE {} IS {};").format(it, comment)),
    ]


def table(made: Table) -> list[Statement]:
    """A table with its keys and checks, and its comments. Foreign keys come once every table is there."""
    it = name(made.schema, made.name)
    lines = [_column(column) for column in made.columns]
    lines.append(sql.SQL("CONSTRAINT {} PRIMARY KEY ({})").format(name(f"{made.name}_pkey"), names(made.primary_key)))
    lines += [sql.SQL("CONSTRAINT {} UNIQUE ({})").format(name(unique.name), names(unique.columns)) for unique in made.uniques]
    lines += [sql.SQL("CONSTRAINT {} CHECK ({})").format(name(check.name), check.expression) for check in made.checks]
    create = sql.SQL("CREATE {}TABLE {} (\n    {}\n){};").format(
        sql.SQL("UNLOGGED " if made.unlogged else ""), it, sql.SQL(",\n    ").join(lines), _storage(made)
    )
    qualified = f"{made.schema}.{made.name}"
    comments = [_statement("tables", "comment", f"table {qualified}", sql.SQL("COMMENT ON TABLE {} IS {};").format(it, text(made.comment)))]
    comments += [
        _statement(
            "tables", "comment", f"column {qualified}.{column.name}",
            sql.SQL("COMMENT ON COLUMN {} IS {};").format(name(made.schema, made.name, column.name), text(column.comment)),
        )
        for column in made.columns
    ]  # fmt: skip
    return [_statement("tables", "table", qualified, create), *comments]


def foreign_keys(made: Table) -> list[Statement]:
    """The table's references to others of its schema."""
    return [
        _statement(
            "tables", "key", f"{key.name} on {made.schema}.{made.name}",
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}){};").format(
                name(made.schema, made.name), name(key.name), name(key.column), name(made.schema, key.table), name(key.referenced_column),
                sql.SQL("" if key.on_delete == "no action" else f" ON DELETE {key.on_delete.upper()}"),
            ),
        )
        for key in made.foreign_keys
    ]  # fmt: skip


def indexes(made: Table) -> list[Statement]:
    """The table's indexes, those of its keys apart."""
    return [_index(made, index_name, index) for index_name, index in made.indexes]


def triggers(made: Table) -> list[Statement]:
    """updated_at kept by the database, and statuses that change only as their enum allows."""
    it = name(made.schema, made.name)
    result = []
    if any(column.name == "updated_at" for column in made.columns):
        trigger = f"trg_{made.name}_updated_at"
        create = sql.SQL("CREATE OR REPLACE TRIGGER {} BEFORE UPDATE ON {}\n    FOR EACH ROW EXECUTE FUNCTION {}();").format(
            name(trigger), it, name(made.schema, "update_updated_at_column")
        )
        result.append(_trigger(made, trigger, create))
    for column in made.columns:
        if column.status is None:
            continue
        trigger = f"trg_{made.name}_{column.name}"
        # AFTER, so that no tuple is locked twice; OF, so that other updates pay nothing; WHEN, so that a transition that is
        # allowed queues nothing and calls nothing. Every UPDATE reads and plans the condition anew: where most rows go one way, it
        # names that way only, and the function is given the others.
        arguments = [text(column.name)]
        hot = column.status.hot()
        if hot:
            condition, passed = _hot_condition(column, column.status)
            others = [(old, new) for old, news in column.status.transitions().items() for new in news if (old, new) not in passed]
            arguments += [text(f"{old}>{new}") for old, new in others]
        else:
            condition = sql.SQL("OLD.{0} IS DISTINCT FROM NEW.{0} AND NOT {1}").format(name(column.name), _allowed(column, column.status))
        create = sql.SQL(
            "CREATE OR REPLACE TRIGGER {trigger} AFTER UPDATE OF {column} ON {table}\n    FOR EACH ROW\n"
            "    WHEN ({condition})\n    EXECUTE FUNCTION {function}({arguments});"
        ).format(
            trigger=name(trigger), column=name(column.name), table=it, condition=condition,
            function=name(made.schema, "refuse_transition"), arguments=sql.SQL(", ").join(arguments),
        )  # fmt: skip
        result.append(_trigger(made, trigger, create))
    return result


def policies(made: Table) -> list[Statement]:
    """Row-level security: forced, so that it binds the owner's functions as well."""
    if not made.policies:
        return []
    it = name(made.schema, made.name)
    qualified = f"{made.schema}.{made.name}"
    force = sql.SQL("ALTER TABLE {0} ENABLE ROW LEVEL SECURITY;\nALTER TABLE {0} FORCE ROW LEVEL SECURITY;").format(it)
    result = [_statement("policies", "row security", qualified, force)]
    for policy in made.policies:
        create = sql.SQL("CREATE POLICY {} ON {} FOR {} TO {} {} ({});").format(
            name(policy.name), it, sql.SQL(policy.command.upper()), name(policy.role),
            sql.SQL("WITH CHECK" if policy.command == "insert" else "USING"), sql.SQL(policy.using),
        )  # fmt: skip
        result.append(_statement("policies", "policy", f"{policy.name} on {qualified}", create))
    return result


def grants(made: Table) -> list[Statement]:
    """Rights on the table itself; most roles have none, and go through functions."""
    qualified = f"{made.schema}.{made.name}"
    return [
        _statement(
            "grants", "grant", f"table {qualified}",
            sql.SQL("GRANT {} ON TABLE {} TO {};").format(sql.SQL(", ".join(privileges)), name(made.schema, made.name), name(role)),
        )
        for role, privileges in made.grants
    ]  # fmt: skip


def schema_statements(schema_name: str, types: Iterable[EnumType], tables_: Iterable[Table]) -> list[Statement]:
    """Everything of a schema that its models say, functions apart."""
    own = [made for made in tables_ if made.schema == schema_name]
    return [
        *schema(schema_name),
        *(statement for made in types if made.schema == schema_name for statement in enum(made)),
        *(statement for made in own for statement in table(made)),
        *(statement for made in own for statement in foreign_keys(made)),
        *(statement for made in own for statement in indexes(made)),
        *(statement for made in own for statement in triggers(made)),
        *(statement for made in own for statement in policies(made)),
        *schema_grants(schema_name),
        *(statement for made in own for statement in grants(made)),
    ]


def _column(column: Column) -> sql.Composable:
    parts: list[sql.Composable] = [name(column.name), column.sql_type]
    if column.generated is not None:
        parts.append(sql.SQL("GENERATED ALWAYS AS ({}) STORED").format(column.generated))
    elif column.identity:
        parts.append(sql.SQL("GENERATED ALWAYS AS IDENTITY"))
    elif column.default is not None:
        parts.append(sql.SQL("DEFAULT {}").format(column.default))
    if not column.nullable and not column.identity:
        parts.append(sql.SQL("NOT NULL"))
    return sql.SQL(" ").join(parts)


def _storage(made: Table) -> sql.Composable:
    if not made.storage:
        return sql.SQL("")
    settings = [sql.SQL("{} = {}").format(name(key), sql.SQL(value)) for key, value in made.storage]
    return sql.SQL("\nWITH ({})").format(sql.SQL(", ").join(settings))


def _index(made: Table, index_name: str, index: Index) -> Statement:
    columns = sql.SQL(", ").join([sql.SQL("{}").format(sql.SQL(column)) for column in index.columns])
    create = sql.SQL("CREATE {unique}INDEX {index} ON {table}{method} ({columns}){include}{where};").format(
        unique=sql.SQL("UNIQUE " if index.unique else ""),
        index=name(index_name),
        table=name(made.schema, made.name),
        method=sql.SQL("" if index.method == "btree" else f" USING {index.method}"),
        columns=columns,
        include=sql.SQL(" INCLUDE ({})").format(names(index.include)) if index.include else sql.SQL(""),
        where=sql.SQL(" WHERE {}").format(sql.SQL(index.where)) if index.where else sql.SQL(""),
    )
    return _statement("indexes", "index", f"{made.schema}.{index_name}", create)


def _trigger(made: Table, trigger: str, create: sql.Composable) -> Statement:
    return _statement("triggers", "trigger", f"{trigger} on {made.schema}.{made.name}", create)


def _hot_condition(column: Column, status: type[Status]) -> tuple[sql.Composable, set[tuple[Status, Status]]]:
    """What says that a change is not one of the frequent ones, and the changes that it lets pass."""
    it, hot = name(column.name), status.hot()
    labels = list(status)
    last = max(labels.index(new) for _, new in hot)
    forward = {(old, new) for index, old in enumerate(labels[: last + 1]) for new in labels[index + 1 : last + 1]}
    if all(new in status.transitions().get(old, ()) for old, new in forward):
        # Two comparisons instead of four: in an enum, later labels are greater.
        return sql.SQL("NEW.{0} <= OLD.{0} OR NEW.{0} > {1}").format(it, literal(labels[last])), forward
    ways = [sql.SQL("OLD.{0} = {1} AND NEW.{0} = {2}").format(it, literal(old), literal(new)) for old, new in hot]
    return sql.SQL("NOT ({})").format(sql.SQL(" OR ").join(ways)), set(hot)


def _allowed(column: Column, status: type[Status]) -> sql.Composable:
    """Whether OLD may become NEW: a CASE, so that a row costs two or three comparisons of its status."""
    it = name(column.name)
    branches = []
    if column.nullable:
        branches.append(sql.SQL("WHEN OLD.{0} IS NULL OR NEW.{0} IS NULL THEN true").format(it))
    for old, news in status.transitions().items():
        allowed = sql.SQL(", ").join([literal(new) for new in news])
        branches.append(sql.SQL("WHEN OLD.{0} = {1} THEN NEW.{0} IN ({2})").format(it, literal(old), allowed))
    return sql.SQL("CASE\n        {}\n        ELSE false\n    END").format(sql.SQL("\n        ").join(branches))
