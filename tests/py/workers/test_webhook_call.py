"""One call: what a receiver can do to it, and that it goes where it was checked to go."""

from __future__ import annotations

import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.py.workers.receiver import Receiver, receiver
from workers.errors import TaskError
from workers.webhook_call import post
from workers.webhook_target import Target


@pytest.fixture
def hub() -> Iterator[Receiver]:
    with receiver() as listening:
        yield listening


def target(hub: Receiver, path: str, *, secure: bool = False, addresses: tuple[str, ...] = ("127.0.0.1",)) -> Target:
    return Target(secure, "hub.invalid", hub.port, path, addresses)


def failure(hub: Receiver, path: str, total: float = 60.0) -> TaskError:
    with pytest.raises(TaskError) as failed:
        post(target(hub, path), b"{}", {}, total=total)
    return failed.value


def test_it_goes_to_the_checked_address_under_its_name(hub: Receiver) -> None:
    """hub.invalid resolves to nothing: no resolver is asked."""
    assert post(target(hub, "/ok?a=1"), b'{"a": 1}', {"webhook-id": "m"}) == 204
    (call,) = hub.calls
    assert (call.path, call.body, call.headers["host"]) == ("/ok?a=1", b'{"a": 1}', f"hub.invalid:{hub.port}")
    assert (call.headers["webhook-id"], call.headers["content-type"]) == ("m", "application/json")


def test_the_next_address_is_tried_where_one_takes_no_connection(hub: Receiver) -> None:
    assert post(target(hub, "/ok", addresses=("::1", "127.0.0.1")), b"{}", {}) == 204


def test_a_redirect_is_a_failure_that_says_so(hub: Receiver) -> None:
    error = failure(hub, "/moved")
    assert error.detail.code == "WEBHOOK_REDIRECTED"
    assert "redirects are not followed" in error.detail.message
    assert len(hub.calls) == 1


@pytest.mark.parametrize(("path", "code", "retryable"), [("/no", "WEBHOOK_REFUSED", True), ("/gone", "WEBHOOK_GONE", False)])
def test_a_refusal_is_tried_again_unless_it_is_for_good(hub: Receiver, path: str, code: str, retryable: bool) -> None:
    error = failure(hub, path)
    assert (error.detail.code, error.detail.retryable) == (code, retryable)


@pytest.mark.parametrize("path", ["/hang", "/trickle"])
def test_a_receiver_cannot_stretch_the_time(hub: Receiver, path: str) -> None:
    started = time.monotonic()
    assert failure(hub, path, total=0.5).detail.code == "WEBHOOK_TIMEOUT"
    assert time.monotonic() - started < 20


def test_an_endless_answer_is_not_read_to_its_end(hub: Receiver) -> None:
    assert post(target(hub, "/flood"), b"{}", {}, total=60.0) == 200


def test_nobody_listening_is_a_failure_to_try_again(hub: Receiver) -> None:
    with pytest.raises(TaskError) as failed:
        post(Target(False, "hub.invalid", 1, "/", ("127.0.0.1",)), b"{}", {})
    assert (failed.value.detail.code, failed.value.detail.retryable) == ("WEBHOOK_NOT_REACHED", True)
    assert not hub.calls


def test_the_certificate_must_be_trusted_and_for_the_name(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate), "-days", "2"]
    subprocess.run([*made, "-subj", "/CN=hub", "-addext", "subjectAltName=DNS:hub.invalid"], check=True, capture_output=True)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    trust = ssl.create_default_context(cafile=str(certificate))
    with receiver(serving) as hub:
        assert post(target(hub, "/ok", secure=True), b"{}", {}, trust=trust) == 204
        for host, context in (("hub.invalid", None), ("other.invalid", trust)):
            with pytest.raises(TaskError) as failed:
                post(Target(True, host, hub.port, "/ok", ("127.0.0.1",)), b"{}", {}, trust=context)
            assert failed.value.detail.code == "WEBHOOK_TLS_FAILED"
        assert len(hub.calls) == 1
