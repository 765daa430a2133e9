"""The headers that prove to a receiver who called, when, and what.

Two ways over the same secret: Standard Webhooks (https://www.standardwebhooks.com), and X-Platform-Signature, for those
who have only an HMAC at hand. While secrets overlap, each has a signature of either, separated by a space.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence


def signed_headers(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Headers for this body, sent at this time (seconds since 1970)."""
    standard = f"{message_id}.{timestamp}.".encode() + body
    plain = f"{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join("v1," + base64.b64encode(hmac.digest(s, standard, hashlib.sha256)).decode() for s in secrets),
        "X-Platform-Timestamp": str(timestamp),
        "X-Platform-Signature": " ".join("sha256=" + hmac.digest(s, plain, hashlib.sha256).hex() for s in secrets),
    }
