"""Functions from their Jinja templates: one function a file, named as the function.

Nothing that the models know is typed again in a template: schema names, enum labels as typed literals, what is terminal and
what is open, the layout of a task id, the keys of advisory locks. A name that a template misspells stops the build.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import jinja2

from codegen import pgstac
from codegen.ddl import Statement
from codegen.messages import contract
from codegen.models.app import TASK_BITS
from codegen.models.enums import ENUMS, RequestType, Status
from codegen.quoting import name, text
from codegen.refusal import RefusedError
from codegen.version import CHECKOUT, version
from codegen.workflows import INSPECT_JOBS, REQUEST_JOBS, UNPUBLISH_JOBS, JobType

FUNCTIONS = CHECKOUT / "db" / "functions"
SHARED = "shared"
"""Templates of which every generated schema has its own copy."""

SUFFIX = ".sql.j2"

PINNED = "pg_catalog, pg_temp"
"""The search_path of a function: with less said, types are looked for in pg_temp first (docs/decisions/0018)."""
PINS_BACKSLASHES = "SET standard_conforming_strings = on"
"""A literal with a backslash means what the caller's session says, and so what a stranger says, unless its function has this."""

_COMMENT = re.compile(r"--.*")
_ESCAPED = re.compile(r"\bE'(?:[^'\\]|\\.|'')*'")

# First keys of two-integer advisory locks. A hold is another kind, with one key: app.open_holds.
LOCKS = {
    "job": 71101,
    "catalogue": 71103,
    "janitor": 71104,
    "deploy": 71105,
    "client": 71106,
    "rebuild": 71107,
    "quota": 71108,
    "resource": 71109,
    "artefacts": 71110,
}


class Labels:
    """An enum in a template: its labels as attributes, and for a status `terminal` and `open`, each a list in parentheses."""

    def __init__(self, schema: str, type_name: str, enum: type[StrEnum]) -> None:
        self._literals = {label.value: f"{_quoted(label)}::{_qualified(schema, type_name)}" for label in enum}
        if issubclass(enum, Status):
            terminal = enum.terminal()
            self._literals["terminal"] = self._listed(label for label in enum if label in terminal)
            self._literals["open"] = self._listed(label for label in enum if label not in terminal)

    def _listed(self, labels: Iterable[StrEnum]) -> str:
        return "(" + ", ".join(self._literals[label.value] for label in labels) + ")"

    def __getitem__(self, label: str) -> str:
        return self._literals[label]


def context() -> dict[str, Any]:
    """What every template may name."""
    names = {type_name: Labels(schema, type_name, enum) for schema, types in ENUMS.items() for type_name, enum in types.items()}
    return {
        **{schema: schema for schema in ENUMS},
        **names,
        "lock": LOCKS,
        "task_bits": TASK_BITS,
        "task_mask": 2**TASK_BITS - 1,
        "version": version(),
        "contract": contract,
        "pgstac_version": pgstac.WANTED_VERSION,
        "request_jobs": _request_jobs(names["request_type"], REQUEST_JOBS),
        "inspect_jobs": _request_jobs(names["request_type"], INSPECT_JOBS),
        "unpublish_jobs": _unpublish_jobs(names["request_type"]),
    }


def render(schema: str, folder: Path = FUNCTIONS) -> list[Statement]:
    """The functions of one schema, by name: its own templates, and its copy of the shared ones."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 (this is SQL: HTML's escapes would be wrong)
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found = sorted([*(folder / schema).glob(f"*{SUFFIX}"), *(folder / SHARED).glob(f"*{SUFFIX}")], key=lambda path: path.name)
    return [_function(environment, schema, path.relative_to(folder)) for path in found]


def _function(environment: jinja2.Environment, schema: str, path: Path) -> Statement:
    function = path.name.removesuffix(SUFFIX)
    try:
        rendered = environment.get_template(str(path)).render(context(), schema=schema)
    except jinja2.TemplateError as error:
        line = f", line {error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
        raise RefusedError(f"db/functions/{path}{line}", str(error), f"templates may name {', '.join(context())}") from error
    if f"FUNCTION {schema}.{function}(" not in rendered:
        raise RefusedError(
            f"db/functions/{path}", f"it does not create {schema}.{function}", "a file holds one function, and is named as it"
        )
    if "pg_temp" not in rendered.partition("AS $$")[0]:
        raise RefusedError(
            f"db/functions/{path}",
            "its search_path does not end with pg_temp, where whoever calls it may have made a type called text",
            f"SET search_path = {PINNED}",
        )
    body = _COMMENT.sub("", rendered)
    if not body.isascii():
        raise RefusedError(
            f"db/functions/{path}",
            "a character that is not ASCII: a client of another encoding would get an error in place of the message",
            "write ... for an ellipsis",
        )  # fmt: skip
    if "\\" in _ESCAPED.sub("", body) and PINS_BACKSLASHES not in rendered:
        raise RefusedError(
            f"db/functions/{path}", "a backslash in a literal means what the session of whoever calls says",
            f"write E'…', or give the function {PINS_BACKSLASHES}",
        )  # fmt: skip
    return Statement("functions", "function", f"{schema}.{function}", rendered.strip() + "\n")


def _request_jobs(request_type: Labels, request_jobs: Mapping[RequestType, Sequence[JobType]]) -> str:
    rows = [
        f"({request_type[request.value]}, {sequence}, {_quoted(job.name)})"
        for request, jobs in request_jobs.items()
        for sequence, job in enumerate(jobs, start=1)
    ]
    return ", ".join(rows)


def _unpublish_jobs(request_type: Labels) -> str:
    return ", ".join(f"({request_type[request.value]}, {_quoted(job.name)})" for request, job in UNPUBLISH_JOBS.items())


def _quoted(value: str) -> str:
    return text(str(value)).as_string(None)


def _qualified(*parts: str) -> str:
    return name(*parts).as_string(None)
