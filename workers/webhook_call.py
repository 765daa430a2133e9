"""One POST to one checked address, within a time that the receiver cannot stretch.

http.client follows no redirect and reads no proxy from the environment; the certificate must be for the name, though the
connection goes to the address. A status of 2xx means that the receiver has it; what it says beyond that is dropped.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping

from workers.errors import TaskError
from workers.webhook_target import Target

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 20.0
MOST_BODY = 64 * 1024


def post(
    target: Target, body: bytes, headers: Mapping[str, str], *, total: float = TOTAL_SECONDS, trust: ssl.SSLContext | None = None
) -> int:
    """Send it; the status, which is 2xx. Anything else raises TaskError."""
    give_up_at = time.monotonic() + total
    plain = _connected(target, give_up_at)
    with contextlib.closing(plain), _ended_at(plain, give_up_at) as late:
        try:
            status = _exchange(target, plain, body, headers, trust)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if late.is_set() or isinstance(error, TimeoutError):
                raise _failure("WEBHOOK_TIMEOUT", f"the receiver did not answer within {total:g} seconds") from error
            if isinstance(error, ssl.SSLError):
                raise _failure("WEBHOOK_TLS_FAILED", f"no trusted connection to {target.host}: {error}") from error
            raise _failure("WEBHOOK_CONNECTION_LOST", f"the receiver gave no valid answer: {type(error).__name__}: {error}") from error
    if 200 <= status < 300:
        return status
    if 300 <= status < 400:
        raise _failure("WEBHOOK_REDIRECTED", f"the receiver answered {status}: redirects are not followed")
    if status == http.HTTPStatus.GONE:
        raise _failure("WEBHOOK_GONE", "the receiver answered 410: it wants no more of these", retryable=False)
    raise _failure("WEBHOOK_REFUSED", f"the receiver answered {status}")


def _connected(target: Target, give_up_at: float) -> socket.socket:
    """A connection to the first of the checked addresses that takes one; nothing is resolved again."""
    reasons = []
    for address in target.addresses:
        left = give_up_at - time.monotonic()
        if left <= 0:
            break
        try:
            return socket.create_connection((address, target.port), min(CONNECT_SECONDS, left))
        except OSError as error:
            reasons.append(f"{address}: {error}")
    raise _failure("WEBHOOK_NOT_REACHED", f"no connection to {target.host}, port {target.port}: {'; '.join(reasons)}")


@contextlib.contextmanager
def _ended_at(plain: socket.socket, give_up_at: float) -> Iterator[threading.Event]:
    """Shut the connection down when time is up, however busily the receiver trickles; the event says that it was."""
    late = threading.Event()
    # Its own handle on the connection: TLS takes over the other one.
    handle = plain.dup()

    def end() -> None:
        late.set()
        with contextlib.suppress(OSError):
            handle.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, give_up_at - time.monotonic()), end)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
        timer.join()
        handle.close()


def _exchange(target: Target, plain: socket.socket, body: bytes, headers: Mapping[str, str], trust: ssl.SSLContext | None) -> int:
    plain.settimeout(TOTAL_SECONDS)
    connection: http.client.HTTPConnection
    if target.secure:
        connection = http.client.HTTPSConnection(target.host, target.port)
        connection.sock = (trust or ssl.create_default_context()).wrap_socket(plain, server_hostname=target.host)
    else:
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.sock = plain
    with contextlib.closing(connection):
        connection.request(
            "POST", target.path, body, {"Content-Type": "application/json", "User-Agent": "geomill", "Connection": "close", **headers}
        )
        response = connection.getresponse()
        with contextlib.suppress(OSError, http.client.HTTPException):
            # So that a receiver that is still writing is not cut off; the status has said it all.
            response.read(MOST_BODY)
        return response.status


def _failure(code: str, message: str, *, retryable: bool = True) -> TaskError:
    return TaskError(
        code,
        message,
        category="user",
        remediation="Mend the receiver; an administrator sends what is dead again with platform.redeliver_webhook",
        retryable=retryable,
    )
