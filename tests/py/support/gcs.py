"""A Google Cloud Storage server on loopback, of this run's own, for the XML API, which is what workers speak.

No emulator speaks all of that API. Google makes it compatible with S3's, lists and uploads in parts included: so behind this door is
moto's S3, and what the two services do differently is done here. Every request bears a token that the service account has signed, and
to remove what is not there is an error. (docs/decisions/0082)
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from werkzeug.test import Client

from tests.py.support.s3 import NOBODY, Application, Bucket, Environ, application, make_bucket, refusal, served

ACCOUNT = "workers@project.iam.gserviceaccount.com"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@contextmanager
def bucket(folder: Path) -> Iterator[Bucket]:
    """A new bucket on a server that ends with it; service accounts' keys are kept in `folder`."""
    ours, strangers = (generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    backend = application()
    with served(backend) as behind:
        name = make_bucket(behind)
    with served(_door(backend, ours.public_key())) as address:
        yield Bucket(
            f"gs://{name}",
            {
                "GOOGLE_BASE_URL": address,
                "GOOGLE_ALLOW_HTTP": "true",
                "GOOGLE_SERVICE_ACCOUNT": str(_account(folder / "account.json", ours)),
            },
            silent={"GOOGLE_BASE_URL": NOBODY},
            stranger={"GOOGLE_SERVICE_ACCOUNT": str(_account(folder / "stranger.json", strangers))},
        )


def _account(path: Path, key: RSAPrivateKey) -> Path:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = {"type": "service_account", "client_email": ACCOUNT, "private_key_id": "1", "private_key": pem}
    path.write_text(json.dumps(account))
    return path


def _door(backend: Application, key: RSAPublicKey) -> Application:
    def door(environ: Environ, start_response: Any) -> Iterable[bytes]:
        return chosen(environ)(environ, start_response)

    def chosen(environ: Environ) -> Application:
        # An unreserved character is the same however it is written; moto reads it as it was.
        path = quote(environ["PATH_INFO"].encode("latin-1"))
        environ["RAW_URI"] = f"{path}?{environ['QUERY_STRING']}"
        if not _is_signed(environ.get("HTTP_AUTHORIZATION", ""), key):
            return refusal(403, "AccessDenied")
        if environ["REQUEST_METHOD"] == "DELETE" and Client(backend).head(path).status_code == 404:
            return refusal(404, "NoSuchKey")
        return backend

    return door


def _is_signed(authorization: str, key: RSAPublicKey) -> bool:
    """Whether a token is the account's: a JWT that its key has signed, for Google's services, and still in force."""
    header, claims, signature = authorization.removeprefix("Bearer ").split(".")
    try:
        key.verify(_decoded(signature), f"{header}.{claims}".encode(), PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    told = json.loads(_decoded(claims))
    return bool(told["iss"] == ACCOUNT and told["scope"] == _SCOPE and told["exp"] > time.time())


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
