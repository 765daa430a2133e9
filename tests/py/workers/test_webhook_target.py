"""Where webhooks may go: nowhere inside, whatever the URL, its name or its addresses look like."""

from __future__ import annotations

import socket

import pytest

from workers.errors import TaskError
from workers.webhook_target import ALLOW_LOOPBACK, find_target, is_public, resolve

PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"]
INSIDE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",  # noqa: S104 (nothing binds to it)
    "10.0.0.1",
    "172.16.5.4",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
    "ff0e::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2001:0:5ef5:79fd:0:59d:80ff:fffe",
]


def code_of(url: str, *addresses: str) -> str:
    with pytest.raises(TaskError) as refusal:
        find_target(url, lambda _host, _port: list(addresses))
    return refusal.value.detail.code


@pytest.mark.parametrize("address", INSIDE)
def test_inside_is_refused(address: str) -> None:
    assert not is_public(address)
    assert code_of("https://hub.example.org/hook", address) == "WEBHOOK_NOT_ALLOWED"


@pytest.mark.parametrize("address", [*PUBLIC, "::ffff:93.184.216.34", "64:ff9b::5db8:d822"])
def test_the_internet_at_large_is_allowed(address: str) -> None:
    assert find_target("https://hub.example.org/hook", lambda *_: [address]).addresses == (address,)


def test_one_address_inside_among_public_ones_is_refused() -> None:
    assert code_of("https://hub.example.org/hook", PUBLIC[0], "10.0.0.1") == "WEBHOOK_NOT_ALLOWED"


@pytest.mark.parametrize(
    "url",
    [
        "http://hub.example.org/hook",
        "ftp://hub.example.org/",
        "https://hub.example.org:22/",
        "https://hub.example.org:80/",
        "https://user@hub.example.org/",
        "https://user:word@hub.example.org/",
        "https:///hook",
        "https://hub.example.org:port/",
        "https://[::1/",
        "hook",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    assert code_of(url, PUBLIC[0]) == "WEBHOOK_NOT_ALLOWED"


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://0x7f.1/", "https://2130706433/", "https://[::1]/", "https://localhost/"])
def test_every_way_to_write_loopback_is_refused(url: str) -> None:
    with pytest.raises(TaskError):
        find_target(url, resolve)


def test_a_refusal_is_for_good_and_a_name_that_is_not_found_is_not() -> None:
    with pytest.raises(TaskError) as refused:
        find_target("https://hub.example.org/", lambda *_: ["10.0.0.1"])
    assert not refused.value.detail.retryable

    def nowhere(_host: str, _port: int) -> list[str]:
        raise socket.gaierror("Name or service not known")

    with pytest.raises(TaskError) as unknown:
        find_target("https://hub.example.org/", nowhere)
    assert unknown.value.detail.code == "WEBHOOK_HOST_NOT_FOUND"
    assert unknown.value.detail.retryable


def test_a_name_is_resolved_once_and_its_addresses_are_what_counts() -> None:
    """DNS rebinding: the second answer, which leads inside, is never asked for."""
    answers = iter([[PUBLIC[0]], ["127.0.0.1"]])
    target = find_target("https://hub.example.org:8443/a b/ü?q=1&r=%20", lambda *_: next(answers))
    assert (target.host, target.port, target.addresses) == ("hub.example.org", 8443, (PUBLIC[0],))
    assert target.path == "/a%20b/%C3%BC?q=1&r=%20"
    assert next(answers) == ["127.0.0.1"]


def test_loopback_is_for_tests_and_lets_nothing_else_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW_LOOPBACK, "1")
    assert find_target("http://127.0.0.1:8000/", resolve).addresses == ("127.0.0.1",)
    assert code_of("https://hub.example.org/", "10.0.0.1") == "WEBHOOK_NOT_ALLOWED"
    assert code_of("http://hub.example.org/", PUBLIC[0]) == "WEBHOOK_NOT_ALLOWED"
    assert code_of("https://hub.example.org:9000/", "127.0.0.1", PUBLIC[0]) == "WEBHOOK_NOT_ALLOWED"
