"""An Azure Blob server on loopback, of this run's own: Azurite, where it is installed (`npm install -g azurite@3.37.0`)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

from tests.py.support.s3 import NOBODY, Bucket

PROGRAM = "azurite-blob"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's own, the same everywhere."""
_VERSION = "2021-12-02"


def is_installed() -> bool:
    """Whether there is one to start."""
    return shutil.which(PROGRAM) is not None


@contextmanager
def container(folder: Path) -> Iterator[Bucket]:
    """A new container on a server that ends with it; `folder` is the server's."""
    command = [PROGRAM, "--blobHost", "127.0.0.1", "--blobPort", "0"]
    command += ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            assert server.stdout is not None
            said = next(line for line in server.stdout if "successfully listens on" in line)
            address = said.split()[-1].removeprefix("http://")
            _make(address, "box")
            yield Bucket(
                "az://box",
                {
                    "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
                    "AZURE_STORAGE_ACCOUNT_KEY": KEY,
                    "AZURE_ENDPOINT": f"http://{address}/{ACCOUNT}",
                    "AZURE_ALLOW_HTTP": "true",
                },
                silent={"AZURE_ENDPOINT": f"{NOBODY}/{ACCOUNT}"},
                stranger={"AZURE_STORAGE_ACCOUNT_KEY": base64.b64encode(b"stranger").decode()},
            )
        finally:
            server.terminate()


def _make(address: str, name: str) -> None:
    date = formatdate(usegmt=True)
    resource = f"/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    signed = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{_VERSION}\n{resource}"
    signature = base64.b64encode(hmac.digest(base64.b64decode(KEY), signed.encode(), hashlib.sha256)).decode()
    connection = http.client.HTTPConnection(address)
    headers = {"x-ms-date": date, "x-ms-version": _VERSION, "Authorization": f"SharedKey {ACCOUNT}:{signature}", "Content-Length": "0"}
    connection.request("PUT", f"/{ACCOUNT}/{name}?restype=container", headers=headers)
    assert connection.getresponse().status == 201
    connection.close()
