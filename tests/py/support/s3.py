"""An S3 server on loopback, of this run's own: moto's."""

from __future__ import annotations

import http.client
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]
NOBODY = "http://127.0.0.1:9"
"""Where no server answers."""


@dataclass(frozen=True)
class Bucket:
    """A bucket, and what a process needs to know to use it."""

    url: str
    environment: dict[str, str]
    silent: dict[str, str]
    """What makes of it a store that does not answer."""
    stranger: dict[str, str]
    """What makes of a process one that has no right to it."""


@contextmanager
def bucket() -> Iterator[Bucket]:
    """A new bucket on a server that ends with it."""
    backend = application()

    def door(environ: Environ, start_response: Any) -> Iterable[bytes]:
        is_stranger = "Credential=stranger/" in environ.get("HTTP_AUTHORIZATION", "")
        return (refusal(403, "AccessDenied") if is_stranger else backend)(environ, start_response)

    with served(door) as address:
        yield Bucket(
            f"s3://{make_bucket(address)}",
            {
                "AWS_ENDPOINT_URL": address,
                "AWS_ALLOW_HTTP": "true",
                "AWS_ACCESS_KEY_ID": "loopback",
                "AWS_SECRET_ACCESS_KEY": "loopback",
                "AWS_REGION": "us-east-1",
            },
            silent={"AWS_ENDPOINT_URL": NOBODY},
            stranger={"AWS_ACCESS_KEY_ID": "stranger"},
        )


def application() -> Application:
    """Moto's S3."""
    backend: Application = DomainDispatcherApplication(create_backend_app)
    return backend


def refusal(status: int, code: str) -> Application:
    """An error as S3, and Google Cloud Storage after it, says it."""
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
    response: Application = Response(body, status=status, mimetype="application/xml")
    return response


@contextmanager
def served(door: Application) -> Iterator[str]:
    """The address of an application, for as long as it is asked."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, door, threaded=True, request_handler=MotoRequestHandler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_bucket(address: str, headers: dict[str, str] | None = None) -> str:
    """The name of a new bucket."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    connection = http.client.HTTPConnection(address.removeprefix("http://"))
    connection.request("PUT", f"/{name}", headers=headers or {})
    assert connection.getresponse().status == 200
    connection.close()
    return name
