"""A file by https: from public hosts below the client's roots only, whatever a name or a redirect says, and taken up where it broke."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from workers import https_source
from workers.errors import TaskError
from workers.webhook_target import ALLOW_LOOPBACK

CONTENT = bytes(range(256)) * 2000


@dataclass
class Host:
    """An https host on loopback: /data/… has the file, broken off as often as asked for."""

    port: int = 0
    breaks: int = 0
    version: str = '"one"'
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"https://data.example.org:{self.port}{path}"


@contextmanager
def serving(tls: ssl.SSLContext) -> Iterator[Host]:
    host = Host()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Quiet."""

        def do_HEAD(self) -> None:
            if self.path == "/data/moved.tif":
                self.send_response(302)
                self.send_header("Location", "/data/a%20b.tif")
            else:
                self.send_response(200 if self.path == "/data/a%20b.tif" else 405)
                self.send_header("ETag", host.version)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()

        def do_GET(self) -> None:
            wanted = self.headers["Range"]
            host.asked.append((self.path, wanted))
            if self.path == "/data/a b.tif" or self.path == "/data/a%20b.tif":
                start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.headers["If-Range"] == host.version else 0
                body = CONTENT[start:]
                self.send_response(206 if start else 200)
                self.send_header("ETag", host.version)
                self.send_header("Last-Modified", "Mon, 06 May 2024 07:00:00 GMT")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if host.breaks:
                    host.breaks -= 1
                    body = body[: len(body) // 2]
                    self.close_connection = True
                self.wfile.write(body)
                return
            location = {
                "/data/moved.tif": "/data/a%20b.tif",
                "/data/out.tif": "/elsewhere/a.tif",
                "/data/in.tif": "https://10.0.0.1/data/a.tif",
                "/data/up.tif": "/data/%2e%2e/elsewhere/a.tif",
            }
            if self.path == "/data/loop.tif":
                location[self.path] = self.path
            self.send_response(302 if self.path in location else {"/data/secret.tif": 403, "/data/bad.tif": 500}.get(self.path, 404))
            if self.path in location:
                self.send_header("Location", location[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    host.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """One to serve with, one that trusts it."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate), "-days", "2"]
    subprocess.run(
        [*made, "-subj", "/CN=data.example.org", "-addext", "subjectAltName=DNS:data.example.org"], check=True, capture_output=True
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    return tls, ssl.create_default_context(cafile=str(certificate))


@pytest.fixture
def host(contexts: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv(ALLOW_LOOPBACK, "1")
    monkeypatch.setattr(https_source, "_WAIT_SECONDS", 0.0)
    with serving(contexts[0]) as one:
        yield one


class Fetch:
    """A download to a file of the test's own."""

    def __init__(self, host: Host, trust: ssl.SSLContext | None, folder: Path) -> None:
        self.host, self.trust, self.target = host, trust, folder / "fetched"

    def __call__(self, path: str, address: str = "127.0.0.1") -> bytes:
        roots = [self.host.url("/data/")]
        https_source.fetch(self.host.url(path), roots, self.target, lambda: None, resolver=lambda _host, _port: [address], trust=self.trust)
        return self.target.read_bytes()

    def refused(self, path: str, address: str = "127.0.0.1") -> tuple[str, bool]:
        with pytest.raises(TaskError) as caught:
            self(path, address)
        assert caught.value.detail.remediation
        return caught.value.detail.code, caught.value.detail.retryable


@pytest.fixture
def fetch(host: Host, contexts: tuple[ssl.SSLContext, ssl.SSLContext], tmp_path: Path) -> Fetch:
    return Fetch(host, contexts[1], tmp_path)


def test_a_file_is_brought_here(fetch: Fetch) -> None:
    assert fetch("/data/a b.tif") == CONTENT
    assert fetch("/data/a%20b.tif") == CONTENT


def test_it_is_as_old_as_its_host_says(fetch: Fetch) -> None:
    fetch("/data/a%20b.tif")
    assert datetime.fromtimestamp(fetch.target.stat().st_mtime, UTC) == datetime(2024, 5, 6, 7, tzinfo=UTC)


def test_the_version_of_a_file(fetch: Fetch) -> None:
    def version(path: str) -> tuple[str | None, int]:
        roots = [fetch.host.url("/data/")]
        return https_source.version(fetch.host.url(path), roots, resolver=lambda _host, _port: ["127.0.0.1"], trust=fetch.trust)

    assert version("/data/a%20b.tif") == version("/data/moved.tif") == ('"one"', len(CONTENT))
    assert version("/elsewhere/a.tif") == version("/data/other.tif") == (None, 0)
    fetch.host.version = 'W/"weak"'
    assert version("/data/a%20b.tif") == (None, len(CONTENT))


def test_a_broken_connection_is_taken_up_where_it_broke(fetch: Fetch) -> None:
    fetch.host.breaks = 2
    assert fetch("/data/a%20b.tif") == CONTENT
    assert [wanted for _, wanted in fetch.host.asked] == [None, "bytes=256000-", "bytes=384000-"]


def test_a_file_that_changed_meanwhile_is_taken_from_the_start(fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch.host.breaks = 1
    monkeypatch.setattr("time.sleep", lambda _seconds: setattr(fetch.host, "version", '"two"'))
    assert fetch("/data/a%20b.tif") == CONTENT
    assert len(fetch.host.asked) == 2


def test_a_connection_that_always_breaks_is_given_up(fetch: Fetch) -> None:
    fetch.host.breaks = 100
    assert fetch.refused("/data/a%20b.tif") == ("SOURCE_NOT_REACHED", True)
    assert len(fetch.host.asked) == https_source.ATTEMPTS


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("/data/none.tif", ("SOURCE_NOT_FOUND", False)),
        ("/data/secret.tif", ("SOURCE_NOT_READABLE", False)),
        ("/data/bad.tif", ("SOURCE_NOT_REACHED", True)),
        ("/data/loop.tif", ("SOURCE_NOT_REACHED", False)),
        ("/data/out.tif", ("SOURCE_NOT_ALLOWED", False)),
        ("/data/in.tif", ("SOURCE_NOT_ALLOWED", False)),
        ("/data/up.tif", ("SOURCE_NOT_ALLOWED", False)),
        ("/elsewhere/a.tif", ("SOURCE_NOT_ALLOWED", False)),
    ],
)
def test_what_is_not_given(path: str, refusal: tuple[str, bool], fetch: Fetch) -> None:
    assert fetch.refused(path) == refusal


def test_a_redirect_below_the_roots_is_followed(fetch: Fetch) -> None:
    assert fetch("/data/moved.tif") == CONTENT


@pytest.mark.parametrize("address", ["10.0.0.7", "169.254.169.254", "192.168.1.1", "::1", "fd00::1", "::ffff:10.0.0.7"])
def test_a_name_of_a_private_address_is_not_called(address: str, fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ALLOW_LOOPBACK)
    assert fetch.refused("/data/a.tif", address) == ("SOURCE_NOT_ALLOWED", False)
    assert fetch.host.asked == []


def test_the_certificate_must_be_trusted(fetch: Fetch) -> None:
    fetch.trust = None
    assert fetch.refused("/data/a.tif") == ("SOURCE_NOT_REACHED", True)
    assert fetch.host.asked == []
