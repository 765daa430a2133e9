"""Secrets that clients chose, sealed so that the database can keep them and not read them.

AES-256-GCM with a key made from GEOMILL_WEBHOOK_KEY (HKDF-SHA256, another than the one that secrets are derived with), bound to the
client: what was sealed for one opens for no other. `gms1.<key>.<nonce and ciphertext>`, where <key> says which key it was, so that
GEOMILL_WEBHOOK_KEY_PREVIOUS opens what was sealed before the key was changed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from workers.errors import ConfigurationError

KEY = "GEOMILL_WEBHOOK_KEY"
PREVIOUS_KEY = "GEOMILL_WEBHOOK_KEY_PREVIOUS"
SHORTEST_KEY = 32
_SCHEME = "gms1"
_NONCE = 12
_SALT = b"geomill webhook seal"


def missing_key() -> str | None:
    """Why this process signs nothing: there is no key. One that is too short is refused."""
    key = os.environ.get(KEY, "")
    if not key:
        return f"{KEY} is not set"
    for name in (KEY, PREVIOUS_KEY):
        if 0 < len(os.environ.get(name, "")) < SHORTEST_KEY:
            raise ConfigurationError(f"{name} is shorter than {SHORTEST_KEY} characters; make one with: openssl rand -hex 32")
    return None


def present_key() -> bytes:
    """The key of this process."""
    if why := missing_key():
        raise ConfigurationError(f"{why}: it is the key that the delivering workers have")
    return os.environ[KEY].encode()


def seal(client_id: str, secret: bytes) -> str:
    """What the database keeps of a secret."""
    key = _sealing_key(present_key())
    nonce = secrets.token_bytes(_NONCE)
    sealed = nonce + AESGCM(key).encrypt(nonce, secret, client_id.encode())
    return f"{_SCHEME}.{_name(key)}.{base64.b64encode(sealed).decode()}"


def unseal(client_id: str, sealed: str) -> bytes:
    """The secret; ConfigurationError where this process has not the key that sealed it."""
    scheme, _, rest = sealed.partition(".")
    named, _, content = rest.partition(".")
    keys = [_sealing_key(key) for key in (present_key(), os.environ.get(PREVIOUS_KEY, "").encode()) if key]
    key = next((key for key in keys if _name(key) == named), None)
    if scheme != _SCHEME or key is None:
        raise ConfigurationError(
            f"the webhook secret of {client_id} was sealed with another key ({named}): set {PREVIOUS_KEY} to it, or set the secret anew"
        )
    try:
        raw = base64.b64decode(content, validate=True)
        return AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], client_id.encode())
    except (InvalidTag, ValueError, binascii.Error) as error:
        raise ConfigurationError(f"the webhook secret of {client_id} was sealed for somebody else, or is damaged: set it anew") from error


def _sealing_key(key: bytes) -> bytes:
    # One block of HKDF's expansion is as long as the key.
    return hmac.digest(hmac.digest(_SALT, key, hashlib.sha256), b"AES-256-GCM\x01", hashlib.sha256)


def _name(key: bytes) -> str:
    return hashlib.sha256(b"name of " + key).hexdigest()[:8]
