"""Parameter models to SQL validators, through their JSON Schema.

A validator is a function of two columns, filled and problems: the value with its defaults, and everything that is wrong with
it. It hands the model's schema to app.check_json, which knows a part of JSON Schema exactly as Pydantic's strict mode knows
it; a keyword, a type or a validator outside that part is refused here, with the model and the field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from psycopg import sql
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from codegen.ddl import Statement
from codegen.messages.client import ClientSettings
from codegen.messages.request import CollectionRequestConfig, RasterRequestConfig, StatisticsRequestConfig, VectorRequestConfig
from codegen.messages.submit import SubmitOptions
from codegen.models.enums import RequestType
from codegen.patterns import to_postgres
from codegen.quoting import literal, name, text
from codegen.refusal import RefusedError
from codegen.templates import PINS_BACKSLASHES
from codegen.workflows import JOB_TYPES

CONFIGS: Mapping[RequestType, type[BaseModel]] = {
    RequestType.VECTOR: VectorRequestConfig,
    RequestType.RASTER: RasterRequestConfig,
    RequestType.COLLECTION: CollectionRequestConfig,
    RequestType.H3_STATISTICS: StatisticsRequestConfig,
}

_REMEDY = "use what codegen/validators.py allows, or check it in the worker and say so in the description"

# Keywords of each type that check_json knows; description and default go with any.
_KEYWORDS = {
    "string": {"minLength", "maxLength", "pattern", "enum", "const"},
    "integer": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
    "boolean": set[str](),
    "array": {"items", "minItems", "maxItems"},
    "object": {"properties", "required", "additionalProperties"},
}
_ANYWHERE = {"type", "description", "default"}


def statements(schema: str) -> list[Statement]:
    """The validators of a schema: in app of each job type and of what a submit takes, in platform of each request type's configuration
    and of a client's settings.
    """
    if schema == "app":
        jobs = [_validator("app", f"validate_{job.name}", job.parameters, "parameters") for job in JOB_TYPES]
        return [*jobs, _validator("app", "validate_submit_options", SubmitOptions, "options")]
    if schema == "platform":
        configs = [(f"validate_{request.value}_config", model) for request, model in CONFIGS.items()]
        made = [_validator("platform", function, model, "processing_config") for function, model in configs]
        return [*made, _validator("platform", "validate_client_settings", ClientSettings, "settings")]
    return []


def parameter_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The model's JSON Schema: references inlined, titles left out, defaults complete; refused outside check_json's part."""
    _refuse_lax(model)
    generated = model.model_json_schema(schema_generator=_WithFactories)
    inlined = _inline(generated, generated.get("$defs", {}), model.__name__, ())
    _check(inlined, model.__name__)
    return dict(inlined)


def _validator(schema: str, function: str, model: type[BaseModel], argument: str) -> Statement:
    document = json.dumps(parameter_schema(model), indent=1, ensure_ascii=False)
    head = f"-- {schema}.{function}: whether a value is valid {argument}, generated from {model.__module__}.{model.__name__}.\n"
    composed = sql.SQL(
        "{head}--\n"
        "-- Guarantees  filled has every default; problems names everything that is wrong, [] if nothing is. Raises nothing.\n"
        "-- Locks       none.\n"
        "CREATE OR REPLACE FUNCTION {function}(value jsonb)\n"
        "RETURNS TABLE (filled jsonb, problems jsonb)\n"
        "LANGUAGE sql\n"
        "IMMUTABLE PARALLEL SAFE\n"
        "SET search_path = pg_catalog, pg_temp\n"
        "{pinned}AS $$\n"
        "    SELECT c.filled, c.problems FROM app.check_json({document}::pg_catalog.jsonb, value, {argument}) AS c;\n"
        "$$;\n"
    ).format(
        head=sql.SQL(head), function=name(schema, function), document=text(document), argument=literal(argument),
        pinned=sql.SQL(PINS_BACKSLASHES + "\n" if "\\" in document else ""),
    )  # fmt: skip
    return Statement("validators", "function", f"{schema}.{function}", composed.as_string(None))


class _WithFactories(GenerateJsonSchema):
    """Pydantic's generator, which leaves out what default_factory makes, and shows no trace of validator functions."""

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> Any:
        factory = schema.get("default_factory")
        if factory is None:
            return super().get_default_value(schema)
        if factory is list or factory is dict:
            return factory()
        raise RefusedError(repr(factory), "SQL cannot make the default of this factory", "use list or dict, or a plain default")

    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> NoReturn:
        _refuse_function(schema)

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> NoReturn:
        _refuse_function(schema)

    def function_wrap_schema(self, schema: core_schema.WrapValidatorFunctionSchema) -> NoReturn:
        _refuse_function(schema)

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> NoReturn:
        _refuse_function(schema)


def _refuse_function(schema: Any) -> NoReturn:
    raise RefusedError(repr(schema.get("function")), "SQL cannot run a validator of Python", _REMEDY)


def _refuse_lax(model: type[BaseModel]) -> None:
    config = model.model_config
    if config.get("strict") is not True or config.get("extra") != "forbid":
        raise RefusedError(
            model.__name__, "it is not strict and closed, as its validator is", "derive it from codegen.messages.base.Message"
        )


def _inline(node: Any, definitions: Mapping[str, Any], where: str, seen: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_inline(item, definitions, where, seen) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = str(node["$ref"]).removeprefix("#/$defs/")
        if target in seen:
            raise RefusedError(where, f"{target} contains itself", "leave the inner one a dict")
        inner = _inline(definitions[target], definitions, where, (*seen, target))
        return {**inner, **_inline({key: value for key, value in node.items() if key != "$ref"}, definitions, where, seen)}
    result = {}
    for key, value in node.items():
        if key == "properties":
            result[key] = {field: _inline(inner, definitions, f"{where}.{field}", seen) for field, inner in value.items()}
        elif key in ("title", "$defs"):
            continue
        else:
            result[key] = value if key in ("default", "enum", "const") else _inline(value, definitions, where, seen)
    return result


def _check(node: Mapping[str, Any], where: str) -> None:
    """Refuse what check_json would not read as Pydantic does, and put the patterns as PostgreSQL wants them."""
    if "anyOf" in node:
        _check_nullable(node, where)
        return
    kind = node.get("type")
    if kind is None:
        surplus = set(node) - _ANYWHERE
    elif kind in _KEYWORDS:
        surplus = set(node) - _ANYWHERE - _KEYWORDS[kind]
    else:
        raise RefusedError(where, f"the type {kind!r}", _REMEDY)
    if surplus:
        raise RefusedError(where, f"JSON Schema's {', '.join(sorted(surplus))} on {kind or 'anything'}", _REMEDY)
    # The schema is read by others than check_json, too: its patterns stay as they are.
    if "pattern" in node and to_postgres(node["pattern"], where) != node["pattern"]:
        raise RefusedError(where, "a dot, which takes a newline in PostgreSQL and none in Pydantic", r"write [^\n] instead")
    if kind == "array":
        _check(node.get("items", {}), f"{where}[]")
    if kind == "object":
        _check_object(node, where)


def _check_nullable(node: Mapping[str, Any], where: str) -> None:
    others = [member for member in node["anyOf"] if member != {"type": "null"}]
    if len(others) != 1 or len(node["anyOf"]) != 2 or set(node) - {"anyOf", "description", "default"}:
        raise RefusedError(where, "a union", "only `X | None` has a validator: choose one type, or two fields")
    _check(others[0], where)


def _check_object(node: Mapping[str, Any], where: str) -> None:
    properties = node.get("properties")
    if properties is None:
        if node.get("additionalProperties", True) is not True:
            raise RefusedError(where, "a dict whose values have a type", "use dict[str, Any], a list of models, or a model")
        return
    if node.get("additionalProperties") is not False:
        raise RefusedError(where, "a model that takes further keys", "derive it from codegen.messages.base.Message")
    for field, inner in properties.items():
        _check(inner, f"{where}.{field}")
