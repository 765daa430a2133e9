"""One file by https, from a host that a client may name, into a local file.

The host is looked up once and must be public, and the connection goes to the address that was checked (as for webhooks), so
that no name can lead into our own network. A redirect is a new URL: it must lie below the same roots, and is checked as the
first one. A connection that breaks is taken up where it broke, if the file is still the same.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from workers.errors import TaskError
from workers.webhook_target import Resolve, Target, find_target, resolve

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
ATTEMPTS = 4
_MOST_REDIRECTS = 5
_CHUNK = 1024**2
_WAIT_SECONDS = 1.0


@dataclass
class _Progress:
    """How far a download is, and which version of the file it is of."""

    written: int = 0
    version: str | None = None


def fetch(
    url: str,
    roots: Sequence[str],
    target: Path,
    check: Callable[[], None],
    *,
    resolver: Resolve = resolve,
    trust: ssl.SSLContext | None = None,
) -> str | None:
    """Write the file at a URL to a local file, and return its version; raises TaskError where it may not be had, or cannot."""
    progress = _Progress()
    attempt = 1
    while True:
        try:
            _fetch(url, roots, target, progress, check, resolver, trust)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, ssl.SSLCertVerificationError) or attempt == ATTEMPTS:
                raise _failed("SOURCE_NOT_REACHED", url, f"it cannot be read: {type(error).__name__}: {error}", retryable=True) from error
            time.sleep(_WAIT_SECONDS * attempt)
            attempt += 1
        else:
            return progress.version


def version(url: str, roots: Sequence[str], *, resolver: Resolve = resolve, trust: ssl.SSLContext | None = None) -> tuple[str | None, int]:
    """The version of the file at a URL and its size; None and 0 where the host says neither without the file."""
    try:
        with _followed("HEAD", url, roots, _Progress(), resolver, trust) as (_, response):
            if response.status != 200:
                return None, 0
            # A weak one is of files that are as good as the same.
            tag = response.headers.get("ETag") or "W/"
            return None if tag.startswith("W/") else tag, int(response.headers.get("Content-Length") or 0)
    except (OSError, ValueError, http.client.HTTPException, TaskError):
        # Whatever it is, the request for the file itself says it better.
        return None, 0


def _is_below(url: str, roots: Sequence[str]) -> bool:
    """Whether the URL lies below a root also for a server that resolves dot segments, encoded or not (RFC 3986, 5.2.4)."""
    path = unquote(urlsplit(url).path)
    return any(url.startswith(root) for root in roots) and "\\" not in path and {".", ".."}.isdisjoint(path.split("/"))


def _fetch(
    url: str,
    roots: Sequence[str],
    target: Path,
    progress: _Progress,
    check: Callable[[], None],
    resolver: Resolve,
    trust: ssl.SSLContext | None,
) -> None:
    with _followed("GET", url, roots, progress, resolver, trust) as (final, response):
        _receive(final, response, target, progress, check)


@contextlib.contextmanager
def _followed(
    method: str, url: str, roots: Sequence[str], progress: _Progress, resolver: Resolve, trust: ssl.SSLContext | None
) -> Iterator[tuple[str, http.client.HTTPResponse]]:
    """The answer for a URL, and the URL that gave it once redirects are followed: each of them below the roots."""
    for _ in range(_MOST_REDIRECTS + 1):
        if not _is_below(url, roots):
            raise _failed("SOURCE_NOT_ALLOWED", url, "it is not below a URL that this client may read")
        with _answer(method, _target(url, resolver), progress, trust) as response:
            if response.status not in (301, 302, 303, 307, 308):
                yield url, response
                return
            url = urljoin(url, response.headers.get("Location") or "")
    raise _failed("SOURCE_NOT_REACHED", url, f"more than {_MOST_REDIRECTS} redirects")


def _receive(url: str, response: http.client.HTTPResponse, target: Path, progress: _Progress, check: Callable[[], None]) -> None:
    if response.status in (404, 410):
        raise _failed("SOURCE_NOT_FOUND", url, f"the host answers {response.status}")
    if response.status in (401, 403):
        raise _failed("SOURCE_NOT_READABLE", url, f"the host answers {response.status}")
    if response.status not in (200, 206):
        raise _failed("SOURCE_NOT_REACHED", url, f"the host answers {response.status}", retryable=True)
    if response.status == 200:
        progress.written = 0
    progress.version = response.headers.get("ETag") or response.headers.get("Last-Modified")
    expected = response.length
    with target.open("r+b" if progress.written else "wb") as file:
        file.seek(progress.written)
        file.truncate()
        received = 0
        while chunk := response.read(_CHUNK):
            check()
            file.write(chunk)
            received += len(chunk)
            progress.written += len(chunk)
    if expected is not None and received < expected:
        raise http.client.IncompleteRead(b"", expected - received)
    with contextlib.suppress(TypeError, ValueError):
        # When it was written is the same however often it is brought.
        written = parsedate_to_datetime(response.headers["Last-Modified"]).timestamp()
        os.utime(target, (written, written))


@contextlib.contextmanager
def _answer(method: str, target: Target, progress: _Progress, trust: ssl.SSLContext | None) -> Iterator[http.client.HTTPResponse]:
    """The response to a request, from the first of the checked addresses that takes a connection."""
    headers = {"User-Agent": "geomill", "Accept-Encoding": "identity", "Connection": "close"}
    if progress.written and progress.version is not None and not progress.version.startswith("W/"):
        headers |= {"Range": f"bytes={progress.written}-", "If-Range": progress.version}
    with contextlib.closing(_connected(target)) as plain:
        connection = http.client.HTTPSConnection(target.host, target.port)
        connection.sock = (trust or ssl.create_default_context()).wrap_socket(plain, server_hostname=target.host)
        with contextlib.closing(connection):
            connection.request(method, target.path, headers=headers)
            yield connection.getresponse()


def _connected(target: Target) -> socket.socket:
    failed: OSError | None = None
    for address in target.addresses:
        try:
            plain = socket.create_connection((address, target.port), CONNECT_SECONDS)
        except OSError as error:
            failed = error
        else:
            plain.settimeout(READ_SECONDS)
            return plain
    raise failed or OSError("no address")


def _target(url: str, resolver: Resolve) -> Target:
    """The checked target of a URL, in the words of a source."""
    if not url.startswith("https://"):
        raise _failed("SOURCE_NOT_ALLOWED", url, "it is not https")
    try:
        return find_target(url, resolver)
    except TaskError as error:
        why = error.detail.message.partition(": ")[2]
        if error.detail.retryable:
            raise _failed("SOURCE_NOT_REACHED", url, f"its host has no address: {why}", retryable=True) from error
        raise _failed("SOURCE_NOT_ALLOWED", url, why) from error


_REMEDIES = {
    "SOURCE_NOT_ALLOWED": "Name a file by https on port 443 or 8443 of a public host, below one of the client's roots",
    "SOURCE_NOT_FOUND": "Correct source_path, or have the file put there",
    "SOURCE_NOT_READABLE": "Have the host give the file without a login, or put it where the workers may read it",
    "SOURCE_NOT_REACHED": "Look at the host; the task is tried again",
}


def _failed(code: str, url: str, why: str, *, retryable: bool = False) -> TaskError:
    return TaskError(
        code, f"{url}: {why}", category="user", retryable=retryable, field="source_path", value=url, remediation=_REMEDIES[code]
    )
