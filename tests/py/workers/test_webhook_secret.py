"""Secrets and signatures: made as the standards say, shown only to whoever has the key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import time
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.py.support.server import CHECKOUT
from workers import webhook_seal, webhook_secret
from workers.errors import ConfigurationError
from workers.registry import Handler, check_handlers
from workers.webhook_signature import signed_headers

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(webhook_seal.KEY, KEY)


@pytest.mark.usefixtures("key")
def test_each_client_and_generation_has_a_secret_of_its_own() -> None:
    made = [webhook_secret.webhook_secret(client, generation) for client in ("ddh_v1", "hub") for generation in (1, 2)]
    assert len(set(made)) == 4
    assert all(len(secret) == 32 for secret in made)
    assert webhook_secret.webhook_secret("ddh_v1", 1) == made[0]


@pytest.mark.usefixtures("key")
def test_the_command_shows_what_the_worker_signs_with(capsys: pytest.CaptureFixture[str]) -> None:
    assert webhook_secret.main(["ddh_v1", "--generation", "2"]) == 0
    shown = capsys.readouterr().out.strip()
    assert base64.b64decode(shown.removeprefix("whsec_")) == webhook_secret.webhook_secret("ddh_v1", 2)


def test_without_a_key_the_command_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv(webhook_seal.KEY, raising=False)
    assert webhook_secret.main(["ddh_v1"]) == 2
    assert webhook_seal.KEY in capsys.readouterr().err


def test_a_worker_without_a_key_leaves_webhooks_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    handlers = {
        "webhook_deliver": Handler("webhook_deliver", None, lambda _: {}, webhook_seal.missing_key),
        "greet": Handler("greet", None, lambda _: {}),
    }
    monkeypatch.delenv(webhook_seal.KEY, raising=False)
    assert check_handlers(handlers, None) == ["greet"]
    with pytest.raises(ConfigurationError, match="GEOMILL_WEBHOOK_KEY is not set"):
        check_handlers(handlers, ["webhook_deliver"])
    monkeypatch.setenv(webhook_seal.KEY, "short")
    with pytest.raises(ConfigurationError, match="shorter than 32"):
        check_handlers(handlers, None)
    monkeypatch.setenv(webhook_seal.KEY, KEY)
    assert check_handlers(handlers, None) == ["greet", "webhook_deliver"]


@pytest.mark.usefixtures("key")
def test_what_is_sealed_opens_for_its_client_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = bytes(range(32))
    sealed = webhook_seal.seal("hub", secret)
    assert webhook_seal.unseal("hub", sealed) == secret
    assert webhook_seal.seal("hub", secret) != sealed
    assert base64.b64encode(secret).decode() not in sealed
    for damaged in (sealed[:-8] + "AAAAAAA=", sealed.replace("gms1", "gms2"), sealed[:14]):
        with pytest.raises(ConfigurationError):
            webhook_seal.unseal("hub", damaged)
    with pytest.raises(ConfigurationError, match="for somebody else"):
        webhook_seal.unseal("other", sealed)
    monkeypatch.setenv(webhook_seal.KEY, "another key of thirty-two characters, or more")
    with pytest.raises(ConfigurationError, match="another key"):
        webhook_seal.unseal("hub", sealed)
    monkeypatch.setenv(webhook_seal.PREVIOUS_KEY, KEY)
    assert webhook_seal.unseal("hub", sealed) == secret


@pytest.mark.usefixtures("key")
def test_the_command_seals_what_it_reads_and_nothing_else(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    secret = webhook_secret.shown(bytes(range(24)))
    monkeypatch.setattr("sys.stdin", io.StringIO(secret + "\n"))
    assert webhook_secret.main(["hub", "--seal"]) == 0
    assert webhook_seal.unseal("hub", capsys.readouterr().out.strip()) == bytes(range(24))
    for wrong in ("whsec_AAAA", "hunter2", secret.removeprefix("whsec_")):
        monkeypatch.setattr("sys.stdin", io.StringIO(wrong))
        assert webhook_secret.main(["hub", "--seal"]) == 2
        refusal = capsys.readouterr()
        assert refusal.out == ""
        assert wrong not in refusal.err


def test_an_independent_library_verifies_what_we_sign() -> None:
    secret, body, now = bytes(range(32)), b'{"status": "completed"}', int(time.time())
    headers = signed_headers([b"the next one", secret], "geomill_1_abc", now, body)
    library = Webhook(webhook_secret.shown(secret))
    assert library.verify(body, headers) == {"status": "completed"}
    with pytest.raises(WebhookVerificationError):
        library.verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        library.verify(body, signed_headers([secret], "geomill_1_abc", now - 3600, body))
    with pytest.raises(WebhookVerificationError):
        Webhook(webhook_secret.shown(bytes(32))).verify(body, headers)


def test_signatures_of_both_kinds() -> None:
    """The example of the Standard Webhooks specification's reference libraries."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed_headers([secret, b"other"], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"].split()[0] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    plain = hmac.new(secret, b'1614265330.{"test": 2432232314}', hashlib.sha256).hexdigest()
    assert headers["X-Platform-Signature"].split()[0] == f"sha256={plain}"
    assert len(headers["webhook-signature"].split()) == 2


def test_the_receiver_of_the_guide_tells_genuine_from_forged() -> None:
    guide = (CHECKOUT / "docs" / "ddh.md").read_text()
    (example,) = [block for block in guide.split("```python\n")[1:] if "is_genuine" in block]
    names: dict[str, Any] = {}
    exec(example.partition("```")[0], names)  # noqa: S102 (our own guide)
    is_genuine, secret, body = names["is_genuine"], bytes(range(32)), b'{"status": "completed"}'

    now = int(time.time())
    genuine = signed_headers([b"the next", secret], "m", now, body)
    assert is_genuine(genuine, body, webhook_secret.shown(secret))
    assert not is_genuine(genuine, body + b" ", webhook_secret.shown(secret))
    assert not is_genuine(genuine, body, webhook_secret.shown(b"another"))
    assert not is_genuine(signed_headers([secret], "m", now - 3600, body), body, webhook_secret.shown(secret))
