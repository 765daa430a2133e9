"""An S3 server on loopback, of this run's own: moto's."""

from __future__ import annotations

import http.client
import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from moto.server import ThreadedMotoServer


@dataclass(frozen=True)
class Bucket:
    """A bucket, and what a process needs to know to use it."""

    url: str
    environment: dict[str, str]


@contextmanager
def bucket() -> Iterator[Bucket]:
    """A new bucket on a server that ends with it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        connection = http.client.HTTPConnection(host, port)
        connection.request("PUT", f"/{name}")
        assert connection.getresponse().status == 200
        connection.close()
        yield Bucket(
            f"s3://{name}",
            {
                "AWS_ENDPOINT_URL": f"http://{host}:{port}",
                "AWS_ALLOW_HTTP": "true",
                "AWS_ACCESS_KEY_ID": "loopback",
                "AWS_SECRET_ACCESS_KEY": "loopback",
                "AWS_REGION": "us-east-1",
            },
        )
    finally:
        server.stop()
