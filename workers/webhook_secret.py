"""The secrets that webhooks are signed with: `python -m workers.webhook_secret CLIENT` shows one, or seals one.

Those that nobody set are made from GEOMILL_WEBHOOK_KEY, the client and a generation by HKDF-SHA256 (RFC 5869), and stored nowhere:
whoever has the database has no secret, and one client's secret says nothing about another's. platform.rotate_webhook_secret
raises the generation. A secret of the client's own is sealed here (--seal) and given to platform.set_webhook_secret. The key stands
only in the environment of the workers that deliver, and of whoever runs this command.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import hmac
import sys
from collections.abc import Mapping
from typing import Any

from workers.errors import ConfigurationError
from workers.webhook_seal import present_key, seal, unseal

_SALT = b"geomill webhook secret"
_PREFIX = "whsec_"
_LENGTHS = range(24, 65)
"""Bytes of a secret, as Standard Webhooks has them."""


def webhook_secret(client_id: str, generation: int) -> bytes:
    """The 32 bytes that sign this client's webhooks in this generation, where no secret was set for it."""
    extracted = hmac.digest(_SALT, present_key(), hashlib.sha256)
    # One block of HKDF's expansion is as long as a secret.
    return hmac.digest(extracted, f"{client_id}\0{generation}".encode() + b"\x01", hashlib.sha256)


def signing_secret(client_id: str, kept: Mapping[str, Any]) -> bytes:
    """The secret of what platform.begin_delivery_v2 says of one: unsealed where it was set, else derived."""
    if kept["sealed_secret"] is not None:
        return unseal(client_id, kept["sealed_secret"])
    return webhook_secret(client_id, kept["generation"])


def shown(secret: bytes) -> str:
    """A secret as Standard Webhooks writes it."""
    return _PREFIX + base64.b64encode(secret).decode()


def given(text: str) -> bytes:
    """The bytes of a secret that is written so."""
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise ConfigurationError(f"that is no secret: {_PREFIX} and base64 are asked for") from error
    if not text.startswith(_PREFIX) or len(secret) not in _LENGTHS:
        raise ConfigurationError(f"that is no secret: {_PREFIX} and the base64 of 24 to 64 bytes are asked for")
    return secret


def main(arguments: list[str] | None = None) -> int:
    """Print one client's secret, for its receiver, or a secret sealed; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m workers.webhook_secret", description="Show or seal what signs a client's webhooks.")
    parser.add_argument("client", help="client_id, as platform.clients has it")
    parser.add_argument("--generation", type=int, default=1, help="as platform.rotate_webhook_secret returned it; default 1")
    parser.add_argument(
        "--seal", action="store_true", help="seal the secret on standard input (whsec_...), for platform.set_webhook_secret"
    )
    parsed = parser.parse_args(arguments)
    if parsed.generation < 1:
        parser.error("--generation is 1 or more")
    try:
        if parsed.seal:
            print(seal(parsed.client, given(sys.stdin.readline().strip())))
        else:
            print(shown(webhook_secret(parsed.client, parsed.generation)))
    except ConfigurationError as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
