"""Models to IR: reads what a model class says about its table, and refuses what it cannot carry over.

Everything that is generated about tables starts here, so that a missing description, a default that SQL cannot make or a
validator that SQL would not run stops the build and not a row.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Annotated, Any
from uuid import uuid4

from psycopg import sql
from pydantic import BaseModel, ValidationError, create_model
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
_FACTORIES: dict[Callable[..., Any], tuple[Callable[[], Any], str]] = {now: (now, "now()"), uuid4: (uuid4, "gen_random_uuid()")}

PRIVILEGES = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"})

SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})

_STORAGE_VALUE = re.compile(r"[A-Za-z0-9_.]+")

# One key of an index: what is indexed, and its order.
_INDEX_KEY = re.compile(r"(?P<of>.+?)(?P<order>( ASC| DESC)?( NULLS (FIRST|LAST))?)", re.DOTALL)


def enum_types(enums: Mapping[str, Mapping[str, type[StrEnum]]]) -> list[EnumType]:
    """The enum types of every schema, in the order they are declared."""
    return [_enum_type(schema, type_name, enum) for schema, types in enums.items() for type_name, enum in types.items()]


def _enum_type(schema: str, type_name: str, enum: type[StrEnum]) -> EnumType:
    with located(enum.__name__):
        name(schema, type_name)
        said = _own_doc(enum)
        if not said:
            raise RefusedError("", "it has no docstring", "write one: it becomes the type's COMMENT")
        labels = tuple(label.value for label in enum)
        if len(labels) != len(enum.__members__):
            raise RefusedError("", "two of its names mean one label", "leave one of them out")
        for label in labels:
            text(label)
            if len(label.encode()) > LONGEST_NAME:
                raise RefusedError("", f"the label {label!r} is longer than {LONGEST_NAME} bytes", "shorten it")
    return EnumType(schema, type_name, labels, said, _renamed_labels(enum))


def enum_names(enums: Mapping[str, Mapping[str, type[StrEnum]]]) -> EnumNames:
    """What each enum class is called in SQL."""
    return {enum: (schema, type_name) for schema, types in enums.items() for type_name, enum in types.items()}


def tables(models: Iterable[type[TableModel]], enums: Mapping[str, Mapping[str, type[StrEnum]]]) -> list[Table]:
    """The IR of every model, in the order given."""
    known = list(models)
    types = enum_names(enums)
    keys: dict[str, tuple[str, ...]] = {}
    for model in known:
        with located(model.__name__):
            qualified = f"{model.__table__.schema}.{model.__table__.name}"
            if qualified in keys:
                raise RefusedError("", f"another model is {qualified} already", "name its table otherwise")
            keys[qualified] = primary_key(model)
    made = []
    for model in known:
        with located(model.__name__):
            made.append(_table(model, types, keys))
    _refuse_other_types(made)
    _refuse_double_names(made, enums)
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


@contextmanager
def located(where: str) -> Iterator[None]:
    """Refusals from within name the model too, where they know the name of a column or an index alone."""
    try:
        yield
    except RefusedError as error:
        if error.where.split(".")[0] == where:
            raise
        raise RefusedError(f"{where}: {error.where}" if error.where else where, error.why, error.remedy) from error


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
    _refuse_other_behaviour(model)
    _refuse_odd_options(model)
    columns: list[Column] = []
    checks: list[Check] = []
    uniques = [Unique(_named(options.name, *columns_, suffix="key"), columns_) for columns_ in options.unique]
    foreign_keys: list[ForeignKey] = []
    for field, info in model.model_fields.items():
        where = f"{model.__name__}.{field}"
        column = _options(info)
        _refuse_contradictions(column, info, where)
        made = sql_type(info.annotation, info.metadata, column=field, where=where, array=column.array, enums=types)
        columns.append(_column(field, info, column, made, where))
        if made.status or field == "updated_at":
            _named("trg", options.name, field)
        if options.no_column_checks is None:
            checks += [Check(_named(options.name, field, suffix=suffix), expression) for suffix, expression in made.checks]
        if column.unique:
            uniques.append(Unique(_named(options.name, field, suffix="key"), (field,)))
        if column.refers_to and (column.references or column.refers_to not in keys):
            raise RefusedError(
                where, f"it refers to {column.refers_to}, which no model makes, or has a foreign key too", "name schema.table of a model"
            )
        if column.references:
            if column.on_delete == "set null" and not made.nullable:
                raise RefusedError(
                    where, "on_delete='set null' on what may not be NULL", "write the type as `X | None`, or choose another action"
                )
            foreign_keys.append(_foreign_key(options.schema, options.name, field, column, keys, where))
    key = primary_key(model)
    _named(options.name, "pkey")
    _refuse_unknown_columns(model, [*key, *(column for unique in uniques for column in unique.columns)])
    for made_column in columns:
        if made_column.nullable and made_column.name in key:
            raise RefusedError(f"{model.__name__}.{made_column.name}", "a key that may be None", "leave None out of its type")
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
        indexes += [(_named("idx", options.name, index.columns[0]), index) for index in _strategy(result, options.indexes)]
    return replace(result, indexes=tuple(indexes), only_these_indexes=options.only_these_indexes)


def _options(info: FieldInfo) -> ColumnOptions:
    found = [item for item in info.metadata if isinstance(item, ColumnOptions)]
    if len(found) > 1:
        raise RefusedError("", f"{found[0]} and {found[1]} on one field", "say it all in one Column(...)")
    return found[0] if found else ColumnOptions()


def _refuse_other_behaviour(model: type[TableModel]) -> None:
    """Refuse what makes a model accept other values than the base's, or do more than check them."""
    config = {key: value for key, value in model.model_config.items() if key not in ("title", "json_schema_extra")}
    if config != TableModel.model_config:
        raise RefusedError(
            "", f"its config is not strict and closed as the base's is: {config}", "leave model_config as codegen.models.base.Table has it"
        )
    if model.model_computed_fields:
        raise RefusedError("", f"{next(iter(model.model_computed_fields))} is computed and no column", "use Column(generated=...)")
    if model.__private_attributes__:
        raise RefusedError("", f"{next(iter(model.__private_attributes__))} is private and no column", "leave it out")
    if model.model_post_init is not TableModel.model_post_init:
        raise RefusedError("", "SQL cannot run its model_post_init", "say it as constraints of the fields, or as a Check")


def _refuse_odd_options(model: type[TableModel]) -> None:
    options = model.__table__
    name(options.schema, options.name)
    if options.only_these_indexes is not None and not options.only_these_indexes.strip():
        raise RefusedError("", "only_these_indexes without a reason", "say why the index strategy does not apply")
    if options.fillfactor is not None and not 10 <= options.fillfactor <= 100:
        raise RefusedError("", f"fillfactor={options.fillfactor}", "use 10 to 100")
    for key, value in options.storage.items():
        name(key)
        if not _STORAGE_VALUE.fullmatch(value):
            raise RefusedError("", f"the storage parameter {key}={value!r}", "give a number, true, false or a word")
    for role, privileges in options.grants.items():
        name(role)
        unknown = set(privileges) - PRIVILEGES
        if unknown or not privileges:
            raise RefusedError("", f"{role} is granted {sorted(unknown) or 'nothing'}", f"grant some of {', '.join(sorted(PRIVILEGES))}")


def _refuse_contradictions(options: ColumnOptions, info: FieldInfo, where: str) -> None:
    """Refuse a column that is made in two ways at once, or whose options do nothing."""
    python_default = info.default is not PydanticUndefined or info.default_factory is not None
    makers = {
        "generated": options.generated is not None,
        "identity": options.identity,
        "Column(default=...)": options.default is not None,
        "a default": python_default,
    }
    made_by = [maker for maker, used in makers.items() if used]
    if len(made_by) > 1:
        raise RefusedError(where, f"its value comes from {' and from '.join(made_by)}", "choose one")
    if options.on_delete != "no action" and options.references is None:
        raise RefusedError(where, f"on_delete={options.on_delete!r} without references", "name the table, or leave the action out")
    if options.unique and options.primary_key:
        raise RefusedError(where, "unique and primary_key", "a key is unique: leave unique out")


def _column(field: str, info: FieldInfo, options: ColumnOptions, made: SqlType, where: str) -> Column:
    name(field)
    if field in SYSTEM_COLUMNS:
        raise RefusedError(where, "every table of PostgreSQL has a column of that name", "choose another name")
    if options.identity and (made.nullable or made.name.as_string(None) not in ("integer", "bigint")):
        raise RefusedError(where, "an identity that is no int", "make it an int")
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
        refers_to=options.refers_to,
    )


def _default(info: FieldInfo, options: ColumnOptions, made: SqlType, where: str) -> sql.Composable | None:
    if options.default is not None:
        return sql.SQL("{}").format(sql.SQL(options.default))
    factory = info.default_factory
    type_name = made.name.as_string(None)
    if factory is not None:
        if factory in (list, dict):
            _refuse_own_default(factory(), info, where)
            return _empty(factory, type_name, where)
        if factory not in _FACTORIES:
            raise RefusedError(
                where, f"SQL cannot make the default of {factory!r}", "use now, uuid4, list or dict, or give Column(default=...) in SQL"
            )
        _refuse_own_default(_FACTORIES[factory][0](), info, where)
        return sql.SQL("{}").format(sql.SQL(_FACTORIES[factory][1]))
    value = info.default
    if value is PydanticUndefined or value is None:
        if value is None and not made.nullable:
            raise RefusedError(
                where, "its default is None, which its type refuses", "write the type as `X | None`, or choose another default"
            )
        return None
    _refuse_own_default(value, info, where)
    if type_name == "jsonb":
        if not isinstance(value, dict | list | str | int | float | bool):
            raise RefusedError(where, f"the default {value!r} is no JSON", "use a default_factory, or Column(default=...)")
        return sql.SQL("{}::jsonb").format(text(json.dumps(value, sort_keys=True, ensure_ascii=False)))
    if isinstance(value, Enum):
        return sql.SQL("{}::{}").format(literal(value), made.name)
    if not isinstance(value, bool | int | float | str | Decimal):
        raise RefusedError(where, f"no SQL literal is known for {value!r}", "give Column(default=...) in SQL")
    return literal(value)


def _refuse_own_default(value: Any, info: FieldInfo, where: str) -> None:
    """Refuse a default that the field would refuse as a value: Pydantic never looks at it, and the table does."""
    annotation: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    alone: type[TableModel] = create_model("Default", __base__=TableModel, value=(annotation, ...))
    try:
        alone.model_validate({"value": value})
    except ValidationError as error:
        why = error.errors()[0]["msg"]
        raise RefusedError(where, f"its own type refuses the default {value!r}: {why}", "choose another default") from error


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


def _strategy(table: Table, declared: Iterable[Index]) -> list[Index]:
    """Foreign keys, statuses and timestamps that no other index starts with get one; a partial one where they may be NULL."""
    leading = {table.primary_key[0], *(unique.columns[0] for unique in table.uniques)}
    partial = {column.name: f"{column.name} IS NOT NULL" if column.nullable else None for column in table.columns}
    for index in declared:
        of = _index_key(index.columns[0])[0]
        if index.method in ("btree", "brin") and index.where in (None, partial.get(of)):
            leading.add(of)
    references = {key.column for key in table.foreign_keys}
    return [
        Index((column.name,), where=partial[column.name])
        for column in table.columns
        if (column.name in references or column.status or column.is_timestamp) and column.name not in leading
    ]


def _index_name(table: str, index: Index, model: type[TableModel]) -> str:
    keys = [_index_key(column) for column in index.columns]
    bare = [of for of, _ in keys]
    _refuse_unknown_columns(model, [*(of for of in bare if of.isidentifier()), *index.include])
    if not keys:
        raise RefusedError("", "an index on nothing", "name its columns")
    if index.method != "btree" and (index.unique or any(order for _, order in keys)):
        raise RefusedError("", f"a {index.method} index on {index.columns} that is unique or has an order", "only a btree can be and has")
    if index.include and index.method not in ("btree", "gist"):
        raise RefusedError("", f"a {index.method} index that includes columns", "only btree and gist can")
    if index.name is None and not all(column in model.model_fields for column in bare):
        raise RefusedError("", f"the index on {index.columns} has an expression and no name", "give Index(name=...)")
    return _named(index.name) if index.name else _named("idx", table, *bare)


def _index_key(key: str) -> tuple[str, str]:
    found = _INDEX_KEY.fullmatch(key)
    return (found["of"], found["order"].strip()) if found else (key, "")


def _refuse_other_types(tables: Iterable[Table]) -> None:
    """Refuse a reference of one type to a key of another: each comparison would cast."""
    types = {(table.schema, table.name, column.name): column.sql_type.as_string(None) for table in tables for column in table.columns}
    for table in tables:
        for key in table.foreign_keys:
            ours, theirs = types[table.schema, table.name, key.column], types[table.schema, key.table, key.referenced_column]
            if ours != theirs:
                raise RefusedError(
                    f"{table.schema}.{table.name}.{key.column}",
                    f"it is {ours} and references {key.table}.{key.referenced_column}, which is {theirs}",
                    "give both the same type, with the same bounds or max_length",
                )


def _refuse_double_names(tables: Iterable[Table], enums: Mapping[str, Mapping[str, type[StrEnum]]]) -> None:
    """Tables, their types, indexes, keys and sequences share one space of names in a schema; constraints one in a table."""
    taken = {(schema, type_name): f"the enum {enum.__name__}" for schema, types in enums.items() for type_name, enum in types.items()}
    for table in tables:
        owned = [(table.name, "a table"), (f"{table.name}_pkey", "a key")]
        owned += [(unique.name, "a key") for unique in table.uniques]
        owned += [(index_name, "an index") for index_name, _ in table.indexes]
        owned += [(f"{table.name}_{column.name}_seq", "a sequence") for column in table.columns if column.identity]
        for owned_name, kind in owned:
            where = f"{table.schema}.{table.name}"
            if (table.schema, owned_name) in taken:
                raise RefusedError(
                    where,
                    f"{kind} called {owned_name}: so is {taken[table.schema, owned_name]} of the schema",
                    "name one of them otherwise",
                )
            taken[table.schema, owned_name] = f"{kind} of {where}"
        constraints = [f"{table.name}_pkey", *(made.name for made in table.uniques), *(made.name for made in table.checks)]
        constraints += [made.name for made in table.foreign_keys]
        for constraint in constraints:
            if constraints.count(constraint) > 1:
                raise RefusedError(f"{table.schema}.{table.name}", f"two constraints called {constraint}", "name one of them otherwise")


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
            raise RefusedError("", f"its table options name a column {column!r} that it does not have", "name its fields")


def _refuse_blind_grants(model: type[TableModel]) -> None:
    """Row-level security shows nothing to a role without a policy, whatever it was granted."""
    options = model.__table__
    seeing = {policy.role for policy in options.policies}
    for role in options.grants:
        if seeing and role not in seeing:
            raise RefusedError(
                "", f"{role} is granted rights and no policy lets it see a row", "add a Policy for it, or leave the grant out"
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
