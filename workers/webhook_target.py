"""Where a webhook may go: a URL that a stranger gave, and the addresses that its name has at this moment.

Https, port 443 or 8443, and a host all of whose addresses are public. What comes out holds the addresses themselves, and
the call goes to one of those: a name that means something else a moment later (DNS rebinding) changes nothing.

GEOMILL_WEBHOOK_ALLOW_LOOPBACK=1, for tests, also lets hosts through whose addresses are all loopback; to them, http and
any port are allowed.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import NoReturn
from urllib.parse import quote, urlsplit

from workers.errors import TaskError

ALLOW_LOOPBACK = "GEOMILL_WEBHOOK_ALLOW_LOOPBACK"
PORTS = (443, 8443)
_NAT64 = IPv6Network("64:ff9b::/96")

Resolve = Callable[[str, int], list[str]]


@dataclass(frozen=True)
class Target:
    """A call that may be made: to one of these addresses, under this name."""

    secure: bool
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]


def resolve(host: str, port: int) -> list[str]:
    """Every address of a host, in the system's order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def find_target(url: str, resolver: Resolve = resolve) -> Target:
    """The target of a URL; raises TaskError where it may not be called (for good), or its name is not found (try again)."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        _refuse(url, "it is not a URL")
    if parts.scheme not in ("https", "http") or not host or parts.username is not None or parts.password is not None:
        _refuse(url, "it is not an https URL of a host, without a user and a password")
    secure = parts.scheme == "https"
    port = port or (443 if secure else 80)
    try:
        # To the name that certificates and resolvers know.
        host = host if ":" in host else host.encode("idna").decode("ascii")
        addresses = tuple(resolver(host, port))
    except (OSError, UnicodeError) as error:
        raise TaskError(
            "WEBHOOK_HOST_NOT_FOUND",
            f"the host {host} of the callback_url has no address: {error}",
            category="user",
            remediation="Correct the host's entry in DNS, or submit a revision with another callback_url",
            retryable=True,
        ) from error
    if not addresses:
        _refuse(url, f"{host} has no address")
    if not _all_loopback_and_allowed(addresses):
        if not secure:
            _refuse(url, "it is not https")
        if port not in PORTS:
            _refuse(url, f"port {port} is none of {', '.join(map(str, PORTS))}")
        for address in addresses:
            if not is_public(address):
                _refuse(url, f"{host} has the address {address}, which is not public")
    # What a request line cannot hold is percent-encoded; what is encoded stays as it is.
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._") + (
        f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else ""
    )
    return Target(secure, host, port, path, addresses)


def is_public(address: str) -> bool:
    """Whether an address belongs to the internet at large, by itself and by the IPv4 address that it carries, if any."""
    parsed = ip_address(address.partition("%")[0])
    return all(one.is_global and not one.is_multicast and not one.is_reserved for one in _meant(parsed))


def _meant(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address.sixtofour is not None:
        return [address, address.sixtofour]
    if address.teredo is not None:
        return [address, *address.teredo]
    if address in _NAT64:
        # Reserved by its notation; where it leads is what the IPv4 address says.
        return [IPv4Address(int(address) & 0xFFFFFFFF)]
    return [address]


def _all_loopback_and_allowed(addresses: tuple[str, ...]) -> bool:
    return os.environ.get(ALLOW_LOOPBACK) == "1" and all(ip_address(address.partition("%")[0]).is_loopback for address in addresses)


def _refuse(url: str, why: str) -> NoReturn:
    raise TaskError(
        "WEBHOOK_NOT_ALLOWED",
        f"the callback_url may not be called: {why}",
        category="user",
        remediation="Submit a revision with a callback_url that is https, on port 443 or 8443 of a public host",
        field="callback_url",
        value=url,
    )
