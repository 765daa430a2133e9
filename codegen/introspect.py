"""Models to IR: reads what a model class says about its table, and refuses what it cannot carry over.

Everything that is generated about tables starts here, so that a missing description, a default that SQL cannot make or a
validator that SQL would not run stops the build and not a row.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from enum import Enum, StrEnum
from typing import Any
from uuid import uuid4

from psycopg import sql
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from codegen.ir import Check, Column, EnumType, ForeignKey, Table, Unique
from codegen.models.base import Column as ColumnOptions
from codegen.models.base import Index
from codegen.models.base import Table as TableModel
from codegen.models.clock import now
from codegen.models.enums import DatabaseEnum
from codegen.quoting import LONGEST_NAME, literal, name, text
from codegen.refusal import RefusedError
from codegen.typemap import SqlType, sql_type

EnumNames = Mapping[type[Enum], tuple[str, str]]
Keys = Mapping[str, tuple[str, ...]]
"""The primary key of each table, by `schema.table`."""

# What a default_factory becomes in SQL; {} and [] depend on the column's type.
_FACTORIES: dict[Callable[..., Any], str] = {now: "now()", uuid4: "gen_random_uuid()"}


def enum_types(enums: Mapping[str, Mapping[str, type[StrEnum]]]) -> list[EnumType]:
    """The enum types of every schema, in the order they are declared."""
    return [
        EnumType(schema, type_name, tuple(label.value for label in enum), _own_doc(enum), _renamed_labels(enum))
        for schema, types in enums.items()
        for type_name, enum in types.items()
    ]


def enum_names(enums: Mapping[str, Mapping[str, type[StrEnum]]]) -> EnumNames:
    """What each enum class is called in SQL."""
    return {enum: (schema, type_name) for schema, types in enums.items() for type_name, enum in types.items()}


def tables(models: Iterable[type[TableModel]], enums: Mapping[str, Mapping[str, type[StrEnum]]]) -> list[Table]:
    """The IR of every model, in the order given."""
    known = list(models)
    types = enum_names(enums)
    keys = {f"{model.__table__.schema}.{model.__table__.name}": primary_key(model) for model in known}
    made = [_table(model, types, keys) for model in known]
    for schema in sorted({table.schema for table in made}):
        own = [table for table in made if table.schema == schema]
        _refuse_renames(f"schema {schema}", [table.renamed_from for table in own if table.renamed_from], {table.name for table in own})
    return made


def primary_key(model: type[TableModel]) -> tuple[str, ...]:
    """The columns of a model's primary key."""
    options = model.__table__
    single = tuple(field for field, info in model.model_fields.items() if _options(info).primary_key)
    if bool(single) == bool(options.primary_key) or len(single) > 1:
        raise RefusedError(
            model.__name__,
            "it has no primary key, or two",
            "mark one field Column(primary_key=True), or name several in table(primary_key=...)",
        )
    return options.primary_key or single


def refuse_validators(model: type[BaseModel]) -> None:
    """Refuse functions that Pydantic would run on a value: SQL would not run them."""
    decorators = model.__pydantic_decorators__
    found = [
        *decorators.validators,
        *decorators.field_validators,
        *decorators.root_validators,
        *decorators.model_validators,
        *decorators.field_serializers,
        *decorators.model_serializers,
    ]
    if found:
        raise RefusedError(
            model.__name__, f"SQL cannot run its validator or serializer {found[0]}", "say it as constraints of the fields, or as a Check"
        )


def _table(model: type[TableModel], types: EnumNames, keys: Keys) -> Table:
    refuse_validators(model)
    options = model.__table__
    if model.model_config.get("strict") is not True or model.model_config.get("extra") != "forbid":
        raise RefusedError(
            model.__name__,
            "it is not strict and closed, so it would accept what the table refuses",
            "derive it from codegen.models.base.Table",
        )
    columns: list[Column] = []
    checks: list[Check] = []
    uniques = [Unique(_named(options.name, *columns_, suffix="key"), columns_) for columns_ in options.unique]
    foreign_keys: list[ForeignKey] = []
    for field, info in model.model_fields.items():
        where = f"{model.__name__}.{field}"
        column = _options(info)
        made = sql_type(info.annotation, info.metadata, column=field, where=where, array=column.array, enums=types)
        columns.append(_column(field, info, column, made, where))
        checks += [Check(_named(options.name, field, suffix=suffix), expression) for suffix, expression in made.checks]
        if column.unique:
            uniques.append(Unique(_named(options.name, field, suffix="key"), (field,)))
        if column.references:
            foreign_keys.append(_foreign_key(options.schema, options.name, field, column, keys, where))
    key = primary_key(model)
    _refuse_unknown_columns(model, [*key, *(column for unique in uniques for column in unique.columns)])
    columns = [replace(column, nullable=False) if column.name in key else column for column in columns]
    _refuse_blind_grants(model)
    _refuse_renames(model.__name__, [column.renamed_from for column in columns if column.renamed_from], set(model.model_fields))
    checks += [Check(_named(check.name), sql.SQL("{}").format(sql.SQL(check.expression))) for check in options.checks]
    storage = dict(options.storage)
    if options.fillfactor is not None:
        storage = {"fillfactor": str(options.fillfactor), **storage}
    result = Table(
        schema=options.schema,
        name=options.name,
        comment=_documentation(model),
        columns=tuple(columns),
        primary_key=key,
        uniques=tuple(uniques),
        checks=tuple(checks),
        foreign_keys=tuple(foreign_keys),
        indexes=(),
        policies=options.policies,
        grants=tuple(options.grants.items()),
        storage=tuple(storage.items()),
        unlogged=options.unlogged,
        renamed_from=options.renamed_from,
    )
    indexes = [(_index_name(options.name, index, model), index) for index in options.indexes]
    if options.only_these_indexes is None:
        indexes += [(_named("idx", options.name, column), Index((column,))) for column in _strategy(result, options.indexes)]
    return replace(result, indexes=tuple(indexes))


def _options(info: FieldInfo) -> ColumnOptions:
    found = [item for item in info.metadata if isinstance(item, ColumnOptions)]
    return found[0] if found else ColumnOptions()


def _column(field: str, info: FieldInfo, options: ColumnOptions, made: SqlType, where: str) -> Column:
    name(field)
    if not info.description:
        raise RefusedError(where, "it has no description", "give Field(description=...): it becomes the column's COMMENT")
    if info.alias or info.validation_alias or info.serialization_alias:
        raise RefusedError(where, "it has an alias", "call the field what the column is called")
    generated = sql.SQL("{}").format(sql.SQL(options.generated)) if options.generated else None
    return Column(
        name=field,
        sql_type=made.name,
        nullable=made.nullable,
        comment=info.description,
        default=None if generated or options.identity else _default(info, options, made, where),
        generated=generated,
        identity=options.identity,
        status=made.status,
        is_timestamp=made.is_timestamp,
        renamed_from=options.renamed_from,
    )


def _default(info: FieldInfo, options: ColumnOptions, made: SqlType, where: str) -> sql.Composable | None:
    if options.default is not None:
        return sql.SQL("{}").format(sql.SQL(options.default))
    factory = info.default_factory
    type_name = made.name.as_string(None)
    if factory is not None:
        if factory in (list, dict):
            return _empty(factory, type_name, where)
        if factory not in _FACTORIES:
            raise RefusedError(
                where, f"SQL cannot make the default of {factory!r}", "use now, uuid4, list or dict, or give Column(default=...) in SQL"
            )
        return sql.SQL("{}").format(sql.SQL(_FACTORIES[factory]))
    value = info.default
    if value is PydanticUndefined or value is None:
        if value is None and not made.nullable:
            raise RefusedError(
                where, "its default is None, which its type refuses", "write the type as `X | None`, or choose another default"
            )
        return None
    if type_name == "jsonb":
        if not isinstance(value, dict | list | str | int | float | bool):
            raise RefusedError(where, f"the default {value!r} is no JSON", "use a default_factory, or Column(default=...)")
        return sql.SQL("{}::jsonb").format(text(json.dumps(value, sort_keys=True, ensure_ascii=False)))
    if isinstance(value, Enum):
        return sql.SQL("{}::{}").format(literal(value), made.name)
    return literal(value)


def _empty(factory: Callable[..., Any], type_name: str, where: str) -> sql.Composable:
    if type_name.endswith("[]") and factory is list:
        return sql.SQL("'{{}}'").format()
    if type_name == "jsonb":
        return sql.SQL("{}::jsonb").format(text("[]" if factory is list else "{}"))
    raise RefusedError(where, f"an empty {factory} is no default of {type_name}", "choose a default of the column's type")


def _foreign_key(schema: str, table: str, field: str, options: ColumnOptions, keys: Keys, where: str) -> ForeignKey:
    target = str(options.references)
    if target not in keys:
        raise RefusedError(where, f"it references {target}, which no model makes", "name schema.table of a model")
    target_schema, _, target_table = target.partition(".")
    if target_schema != schema:
        raise RefusedError(
            where, f"it references {target} from schema {schema}", "schemas have lives of their own: keep the value and no foreign key"
        )
    if len(keys[target]) != 1:
        raise RefusedError(where, f"it references {target}, whose key is composite", "reference a table with a key of one column")
    return ForeignKey(_named(table, field, suffix="fkey"), field, target_table, keys[target][0], options.on_delete)


def _strategy(table: Table, declared: Iterable[Index]) -> list[str]:
    """Columns that get an index of their own: foreign keys, statuses and timestamps that no other index starts with."""
    leading = {table.primary_key[0], *(unique.columns[0] for unique in table.uniques)}
    leading |= {index.columns[0].split()[0] for index in declared if index.where is None}
    references = {key.column for key in table.foreign_keys}
    return [
        column.name
        for column in table.columns
        if (column.name in references or column.status or column.is_timestamp) and column.name not in leading
    ]


def _index_name(table: str, index: Index, model: type[TableModel]) -> str:
    bare = [column.removesuffix(" DESC") for column in index.columns]
    if index.name is None and not all(column in model.model_fields for column in bare):
        raise RefusedError(model.__name__, f"the index on {index.columns} has an expression and no name", "give Index(name=...)")
    return _named(index.name) if index.name else _named("idx", table, *bare)


def _named(*parts: str, suffix: str = "") -> str:
    """A name of an index or a constraint, within PostgreSQL's 63 bytes."""
    made = "_".join([*parts, *([suffix] if suffix else [])])
    if len(made.encode()) > LONGEST_NAME:
        raise RefusedError(
            made, f"the name is longer than {LONGEST_NAME} bytes", "shorten the table's or the column's name, or name the index"
        )
    return made


def _refuse_unknown_columns(model: type[TableModel], columns: Iterable[str]) -> None:
    for column in columns:
        if column not in model.model_fields:
            raise RefusedError(model.__name__, f"its table options name a column {column!r} that it does not have", "name its fields")


def _refuse_blind_grants(model: type[TableModel]) -> None:
    """Row-level security shows nothing to a role without a policy, whatever it was granted."""
    options = model.__table__
    seeing = {policy.role for policy in options.policies}
    for role in options.grants:
        if seeing and role not in seeing:
            raise RefusedError(
                model.__name__, f"{role} is granted rights and no policy lets it see a row", "add a Policy for it, or leave the grant out"
            )


def _refuse_renames(where: str, old: list[str], present: set[str]) -> None:
    """An old name is one that is free now, and one thing's only."""
    for former in old:
        name(former)
        if former in present:
            raise RefusedError(where, f"renamed_from={former!r} is still in use", "leave renamed_from out, or choose the name that is gone")
        if old.count(former) > 1:
            raise RefusedError(where, f"two things are renamed_from={former!r}", "one of them is new: leave its renamed_from out")


def _renamed_labels(enum: type[StrEnum]) -> tuple[tuple[str, str], ...]:
    renamed = tuple(enum.renamed_labels().items()) if issubclass(enum, DatabaseEnum) else ()
    labels = {label.value for label in enum}
    for old, new in renamed:
        if new not in labels or old in labels or [target for _, target in renamed].count(new) > 1:
            raise RefusedError(
                enum.__name__, f"a label cannot be renamed from {old!r} to {new!r}", "old must be gone, new a label, and each named once"
            )
    return renamed


def _documentation(model: type[TableModel]) -> str:
    said = _own_doc(model)
    if not said:
        raise RefusedError(model.__name__, "it has no docstring", "write one: it becomes the table's COMMENT")
    return said


def _own_doc(cls: type) -> str | None:
    """The class's own docstring as one line of text; not what it inherits."""
    said = cls.__dict__.get("__doc__")
    return " ".join(inspect.cleandoc(said).split()) if said else None
