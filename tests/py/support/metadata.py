"""A stand-in for the place where Azure hands out tokens: App Service's endpoint and the virtual machine's, on loopback.

It answers as they do, and checks what they check: the secret header, the API version. What it issues is the test's to say.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

HOUR = 3600
ENDING = 120
"""Seconds left in a token that azure-identity does not use again: it renews what has less than five minutes."""


@dataclass
class Metadata:
    """What it issues, and who asked for it."""

    port: int = 0
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    token: str = ""
    seconds_left: int = HOUR
    refuses: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)

    def issue(self, *, seconds_left: int = HOUR) -> str:
        """A token as long as a real one, issued from now on."""
        self.token, self.seconds_left = secrets.token_urlsafe(1200), seconds_left
        return self.token

    @property
    def app_service(self) -> dict[str, str]:
        """The variables of a process in App Service."""
        return {"IDENTITY_ENDPOINT": f"http://127.0.0.1:{self.port}/msi/token", "IDENTITY_HEADER": self.secret}

    @property
    def machine(self) -> dict[str, str]:
        """The variable that leads azure-identity here instead of 169.254.169.254."""
        return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": f"http://127.0.0.1:{self.port}"}

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        """Status and document of one request."""
        url = urlsplit(path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        expected = {
            "/msi/token": ("2019-08-01", headers.get("x-identity-header") == self.secret),
            "/metadata/identity/oauth2/token": ("2018-02-01", headers.get("metadata") == "true"),
        }.get(url.path)
        self.asked.append({"path": url.path} | query)
        if expected != (query.get("api-version"), True) or self.refuses:
            return 400, {"error": "invalid_request", "error_description": "Identity not found", "statusCode": "400", "message": "not found"}
        return 200, {
            "access_token": self.token,
            "expires_on": str(int(time.time()) + self.seconds_left),
            "expires_in": str(self.seconds_left),
            "resource": query["resource"],
            "token_type": "Bearer",
        }


@contextmanager
def metadata_server() -> Iterator[Metadata]:
    """One that listens on a free port until the end."""
    metadata = Metadata()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, document = metadata.answer(self.path, {key.lower(): value for key, value in self.headers.items()})
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: tests look at `asked`."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        metadata.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield metadata
        finally:
            server.shutdown()
            thread.join()
