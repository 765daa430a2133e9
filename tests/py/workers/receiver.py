"""A receiver of webhooks on loopback, as willing or unwilling as its path says."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Received:
    """One call, as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Where it listens, and what has arrived. /ok takes it, /flaky the third time; /hang and /trickle never come to an end."""

    port: int = 0
    calls: list[Received] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def receiver(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Listens on a free port until the end of the block."""
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Quiet."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.calls.append(Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            match self.path.partition("?")[0]:
                case "/ok":
                    self._answer(204)
                case "/flaky":
                    self._answer(503 if len(state.calls) < 3 else 200)
                case "/moved":
                    self._answer(307, Location=state.url("/ok"))
                case "/gone":
                    self._answer(410)
                case "/hang":
                    state.closing.wait(30)
                case "/trickle":
                    self._trickle()
                case "/flood":
                    self._flood()
                case _:
                    self._answer(404)

        def _answer(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _trickle(self) -> None:
            while not state.closing.wait(0.05):
                try:
                    self.wfile.write(b"H")
                except OSError:
                    return

        def _flood(self) -> None:
            self.send_response(200)
            self.end_headers()
            try:
                while not state.closing.is_set():
                    self.wfile.write(b"x" * 65536)
            except OSError:
                return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
