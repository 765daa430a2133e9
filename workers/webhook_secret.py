"""The secrets that webhooks are signed with: `python -m workers.webhook_secret CLIENT [--generation N]` shows one.

None is stored anywhere. Each is made from GEOMILL_WEBHOOK_KEY, the client and a generation by HKDF-SHA256 (RFC 5869): whoever
has the database has no secret, and one client's secret says nothing about another's. platform.rotate_webhook_secret raises
the generation. The key stands only in the environment of the workers that deliver, and of whoever runs this command.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import os
import sys

from workers.errors import ConfigurationError

KEY = "GEOMILL_WEBHOOK_KEY"
SHORTEST_KEY = 32
_SALT = b"geomill webhook secret"


def missing_key() -> str | None:
    """Why this process signs nothing: there is no key. One that is too short is refused."""
    key = os.environ.get(KEY, "")
    if not key:
        return f"{KEY} is not set"
    if len(key) < SHORTEST_KEY:
        raise ConfigurationError(f"{KEY} is shorter than {SHORTEST_KEY} characters; make one with: openssl rand -hex 32")
    return None


def webhook_secret(client_id: str, generation: int) -> bytes:
    """The 32 bytes that sign this client's webhooks in this generation."""
    if why := missing_key():
        raise ConfigurationError(f"{why}: it is the key that the delivering workers have")
    extracted = hmac.digest(_SALT, os.environ[KEY].encode(), hashlib.sha256)
    # One block of HKDF's expansion is as long as a secret.
    return hmac.digest(extracted, f"{client_id}\0{generation}".encode() + b"\x01", hashlib.sha256)


def shown(secret: bytes) -> str:
    """A secret as Standard Webhooks writes it."""
    return "whsec_" + base64.b64encode(secret).decode()


def main(arguments: list[str] | None = None) -> int:
    """Print one client's secret, for its receiver; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m workers.webhook_secret", description="Show the secret that signs a client's webhooks.")
    parser.add_argument("client", help="client_id, as platform.clients has it")
    parser.add_argument("--generation", type=int, default=1, help="as platform.rotate_webhook_secret returned it; default 1")
    parsed = parser.parse_args(arguments)
    if parsed.generation < 1:
        parser.error("--generation is 1 or more")
    try:
        print(shown(webhook_secret(parsed.client, parsed.generation)))
    except ConfigurationError as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
