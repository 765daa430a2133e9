"""Whatever a handler raises becomes one ErrorDetail that PostgreSQL accepts and that gives nothing away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from pydantic import ValidationError

from codegen.messages.errors import ErrorDetail
from codegen.messages.hello_world import HelloWorldParameters
from workers.encoding import encode
from workers.errors import TaskCancelled, TaskError, describe, invalid_parameters, is_disconnected, is_transient
from workers.redaction import redact


class HTTPServerGone(Exception):  # noqa: N818 - its name is what is tested
    pass


def raised(raiser: Callable[[], Any]) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        raiser()
    return caught.value


def fail(error: BaseException, cause: BaseException | None = None) -> Callable[[], None]:
    def raiser() -> None:
        raise error from cause

    return raiser


def test_a_task_error_keeps_its_words() -> None:
    error = TaskError("NO_CRS", "no CRS in a.shp", category="data", remediation="give source_crs", field="source_crs", value=float("nan"))
    detail = describe(error)
    assert (detail.code, detail.category, detail.retryable, detail.remediation, detail.value) == (
        "NO_CRS",
        "data",
        False,
        "give source_crs",
        "nan",
    )


def test_the_unforeseen_is_ours_and_worth_another_attempt() -> None:
    detail = describe(raised(fail(HTTPServerGone("gone"), ValueError("because"))), ["GDAL said so"])
    assert (detail.code, detail.category, detail.retryable) == ("HTTP_SERVER_GONE", "system", True)
    assert detail.context == {"causes": ["ValueError: because"], "messages": ["GDAL said so"]}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), "MEMORY_ERROR"),
        (SystemExit(3), "SYSTEM_EXIT"),
        (KeyboardInterrupt(), "KEYBOARD_INTERRUPT"),
        (OSError(28, "x"), "OS_ERROR"),
    ],
)
def test_codes_are_made_from_the_exception(error: BaseException, code: str) -> None:
    assert describe(error).code == code


def test_every_description_can_be_sent() -> None:
    awkward = TaskError("A", "x\x00\ud800" * 3000, category="system", value={"a": float("inf"), "b": b"\x00"}, context={"c": object()})
    for error in (awkward, ValueError("\x00\ud800"), Exception("x" * 1_000_000)):
        detail = describe(error, ["\x00\ud800"])
        encode(detail.model_dump(mode="json"))
        assert len(detail.message) <= 2000


def test_a_deadline_may_be_met_next_time() -> None:
    assert describe(TaskCancelled("deadline")).model_dump()["retryable"] is True


@pytest.mark.parametrize(
    ("sqlstate", "disconnected", "transient"),
    [
        ("40001", False, True),
        ("40P01", False, True),
        ("55P03", False, True),
        ("53300", False, True),
        ("08006", True, True),
        ("57P01", True, True),
        ("57014", False, False),
        ("23505", False, False),
        ("42883", False, False),
        ("GM409", False, False),
        ("GM503", False, True),
    ],
)
def test_sqlstates(sqlstate: str, disconnected: bool, transient: bool) -> None:
    error = type("Raised", (psycopg.DatabaseError,), {"sqlstate": sqlstate})()
    assert (is_disconnected(error), is_transient(error)) == (disconnected, transient)


def test_a_lost_connection_without_sqlstate_is_a_lost_connection() -> None:
    assert is_disconnected(psycopg.OperationalError("server closed the connection unexpectedly"))
    detail = describe(psycopg.OperationalError("server closed the connection unexpectedly"))
    assert (detail.code, detail.category, detail.retryable) == ("DATABASE_CONNECTION_LOST", "system", True)


def test_invalid_parameters_are_the_submitters() -> None:
    with pytest.raises(ValidationError) as caught:
        HelloWorldParameters.model_validate_json('{"n": "three", "mesage": "x"}')
    detail = invalid_parameters(caught.value, "hello_greeting")
    assert (detail.code, detail.category, detail.retryable, detail.field) == ("INVALID_PARAMETERS", "user", False, "n")
    assert detail.context is not None
    assert [problem["field"] for problem in detail.context["problems"]] == ["n", "mesage"]


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://worker:s3cret@host/db refused",
        "could not connect: host=h password=s3cret dbname=d",
        "password='s3cret' x",
        "https://a.example/x.tif?X-Amz-Signature=s3cret&b=1",
        "https://a.example/x.tif?sig=s3cret",
        "Authorization: Bearer s3cretabcdefg",
    ],
)
def test_credentials_are_masked_everywhere(text: str) -> None:
    assert "s3cret" not in redact(text)
    detail = describe(TaskError("A", text, category="system", remediation=text, value=text, context={"a": [text]}), [text])
    assert "s3cret" not in detail.model_dump_json()
    assert "s3cret" not in describe(RuntimeError(text)).model_dump_json()


def test_descriptions_are_of_the_one_shape() -> None:
    ErrorDetail.model_validate(describe(ValueError("x")).model_dump())
