"""What can go wrong in a task, and how it is told.

Handlers raise `TaskError` for what they know: a code, whose it is to mend, and how. Everything else is ours until shown
otherwise (category system) and worth another attempt. Whatever was raised becomes one `ErrorDetail`, bounded in size,
free of credentials, and always acceptable to PostgreSQL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import psycopg
from pydantic import ValidationError

from codegen.messages.errors import Category, ErrorDetail
from workers.encoding import plain
from workers.redaction import redact

MESSAGE_LENGTH = 2000
_CAUSES = 5
_DISCONNECTED = ("08", "57P01", "57P02", "57P03", "57P05", "25P03")
_TRANSIENT = ("40001", "40P01", "55P03", "55006", "53", "GM503", *_DISCONNECTED)

Reason = Literal["lost", "cancelled", "deadline"]


class TaskError(Exception):
    """A failure that the handler understands, told to whoever has to mend it."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        category: Category,
        remediation: str | None = None,
        retryable: bool = False,
        field: str | None = None,
        value: Any = None,
        context: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.detail = ErrorDetail(
            code=code,
            category=category,
            message=_text(message),
            remediation=None if remediation is None else _text(remediation),
            retryable=retryable,
            field=field,
            value=_redacted(plain(value)),
            context=None if context is None else _redacted(plain(context)),
        )


class TaskCancelled(BaseException):
    """The attempt has ended for others: stop, leave nothing behind.

    Not an Exception, so that a handler's `except Exception` around one of many items does not swallow it.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(
            {
                "lost": "the attempt was taken back",
                "cancelled": "the job was cancelled",
                "deadline": "the task ran beyond its deadline",
            }[reason]
        )
        self.reason: Reason = reason


class ConfigurationError(Exception):
    """The process cannot start as it was asked to; the message names the remedy."""


def is_disconnected(error: psycopg.Error) -> bool:
    """Whether the connection is gone, so that what it was doing has an unknown or no effect."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate.startswith(_DISCONNECTED)


def is_transient(error: psycopg.Error) -> bool:
    """Whether the same statement may succeed in a moment: serialization, deadlock, lost connection, full server."""
    return is_disconnected(error) or (error.sqlstate or "").startswith(_TRANSIENT)


def in_short(error: psycopg.Error) -> str:
    """What the database said, in a line for the log."""
    return redact((error.diag.message_primary or str(error) or type(error).__name__).strip())


def told_by_engine(error: psycopg.Error) -> ErrorDetail | None:
    """The ErrorDetail in the DETAIL of an error that geomill's own functions raised; of several, the first."""
    if not (error.sqlstate or "").startswith("GM"):
        return None
    try:
        value = json.loads(error.diag.message_detail or "")
        return ErrorDetail.model_validate(value[0] if isinstance(value, list) else value)
    except (ValueError, IndexError):
        return None


def describe(error: BaseException, messages: Sequence[str] = ()) -> ErrorDetail:
    """Map whatever a handler raised to the one shape of an error; `messages` are the native library's own."""
    if isinstance(error, TaskError):
        detail = error.detail
    elif isinstance(error, TaskCancelled):
        detail = ErrorDetail(
            code="DEADLINE_EXCEEDED" if error.reason == "deadline" else "ATTEMPT_LOST",
            category="system",
            message=f"{str(error).capitalize()}",
            remediation="Give the stage a longer max_runtime_seconds, or make its tasks smaller",
            retryable=True,
        )
    elif isinstance(error, psycopg.Error):
        detail = _of_database(error)
    else:
        detail = _unforeseen(error)
    context = dict(detail.context or {})
    if causes := [_named(cause) for cause in _chain(error)]:
        context.setdefault("causes", causes)
    if messages:
        context.setdefault("messages", [_text(message) for message in messages])
    return detail.model_copy(update={"context": context or None})


def invalid_parameters(error: ValidationError, task_type: str) -> ErrorDetail:
    """Parameters that the handler's model refuses: the submitter's to mend, and the same at every attempt."""
    problems = error.errors(include_url=False, include_context=False)
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    field = ".".join(str(part) for part in first["loc"])
    return ErrorDetail(
        code="INVALID_PARAMETERS",
        category="user",
        message=_text(f"{task_type} refuses {field or 'its parameters'}: {first['msg']}{more}"),
        remediation="Submit the job again with parameters that its model accepts",
        field=field or None,
        value=_redacted(plain(first["input"])),
        context=_redacted(plain({"problems": [{"field": ".".join(map(str, p["loc"])), "message": p["msg"]} for p in problems[:20]]})),
    )


def refused_result(task_type: str, reason: str) -> ErrorDetail:
    """A result that cannot be kept as jsonb: the handler's bug, the same at every attempt."""
    return ErrorDetail(
        code="RESULT_REFUSED",
        category="system",
        message=_text(f"The result of {task_type} cannot be stored: {reason}"),
        remediation="Mend the handler: a result is a JSON object without NaN, NUL or lone surrogates",
    )


def _of_database(error: psycopg.Error) -> ErrorDetail:
    """An error raised by geomill's own functions carries its detail; others are named by their SQLSTATE."""
    state = error.sqlstate or ""
    if told := told_by_engine(error):
        return told
    context = {"sqlstate": state or None, "detail": error.diag.message_detail, "hint": error.diag.message_hint, "where": error.diag.context}
    if is_disconnected(error):
        code, message = "DATABASE_CONNECTION_LOST", "The connection to the database was lost"
    else:
        code, message = _code(type(error).__name__), error.diag.message_primary or str(error)
    return ErrorDetail(
        code=code,
        category="system",
        message=_text(message),
        retryable=True,
        context=_redacted(plain({key: value for key, value in context.items() if value})),
    )


def _unforeseen(error: BaseException) -> ErrorDetail:
    return ErrorDetail(
        code=_code(type(error).__name__),
        category="system",
        message=_text(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__),
        retryable=True,
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen = {id(error)}
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    while cause is not None and id(cause) not in seen and len(seen) <= _CAUSES:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _named(error: BaseException) -> str:
    return _text(f"{type(error).__name__}: {error}")


def _code(name: str) -> str:
    """CamelCase to UPPER_SNAKE, within what ErrorDetail accepts."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).upper()
    return re.sub(r"^[^A-Z]+|[^A-Z0-9_]", "", snake)[:100] or "ERROR"


def _text(text: str) -> str:
    clean = redact(str(plain(text, longest=MESSAGE_LENGTH * 2)))
    return clean if len(clean) <= MESSAGE_LENGTH else clean[: MESSAGE_LENGTH - 1] + "…"


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    if isinstance(value, dict):
        return {key: _redacted(item) for key, item in value.items()}
    return value
