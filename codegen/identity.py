"""Managed identities: logins whose password is a token that Azure hands to the machine, and that ends after about an hour.

Which identity, if any, the settings say: user-assigned (GEOMILL_IDENTITY_CLIENT_ID), else system-assigned (GEOMILL_IDENTITY=system,
or a host that calls itself by WEBSITE_SITE_NAME, as App Service does), else none, so that a password has to do. A token is
asked for each new connection; azure-identity keeps it in memory while it has five minutes left. Connections that are open
outlive their token. A token is in no log, argument list or message.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import psycopg

from codegen.refusal import RefusedError
from codegen.settings import settings

if TYPE_CHECKING:
    from azure.identity import ManagedIdentityCredential

SCOPE = "https://ossrdbms-aad.database.windows.net/.default"
"""What the token is for: Azure's open-source databases."""

HOST_NAMES_ITSELF = "WEBSITE_SITE_NAME"

# A worker that gets none tries again by itself: no need to sit in one attempt for a minute, as azure-identity would.
_PATIENCE: dict[str, Any] = {"connection_timeout": 2, "retry_total": 2, "retry_status": 2}


class NoTokenError(psycopg.OperationalError):
    """No token could be had. To callers this is a database that cannot be reached now, and may be later."""


@dataclass(frozen=True)
class ManagedIdentity:
    """Who connects: the identity, and the login that it has unless the connection string names one."""

    client_id: str | None
    login: str | None

    def __str__(self) -> str:
        return f"user-assigned managed identity {self.client_id}" if self.client_id else "system-assigned managed identity"


def configured() -> ManagedIdentity | None:
    """The identity of this process; None if it has none and a password has to do."""
    current = settings()
    if current.identity == "user" and current.identity_client_id is None:
        raise RefusedError("GEOMILL_IDENTITY=user", "of which identity is not said", "set GEOMILL_IDENTITY_CLIENT_ID to its client id")
    if current.identity in ("auto", "user") and current.identity_client_id:
        return ManagedIdentity(current.identity_client_id, current.identity_login)
    if current.identity == "system" or (current.identity == "auto" and os.environ.get(HOST_NAMES_ITSELF)):
        return ManagedIdentity(None, current.identity_login)
    return None


def token(identity: ManagedIdentity) -> str:
    """A token that has some minutes left."""
    credential = _credential(identity.client_id, os.getpid())
    from azure.core.exceptions import AzureError

    try:
        return str(credential.get_token(SCOPE).token)
    except AzureError as error:
        raise NoTokenError(
            f"no token for the {identity}: {str(error).splitlines()[0]}"
            "\n  remedy: assign the identity to this machine; for a password instead set GEOMILL_IDENTITY=none"
        ) from error


def forget() -> None:
    """Ask for tokens anew: the server did not take the last one."""
    _credential.cache_clear()


@lru_cache
def _credential(client_id: str | None, _process: int) -> ManagedIdentityCredential:
    """The credential of one process: a fork must not share its parent's sockets."""
    try:
        from azure.identity import ManagedIdentityCredential
    except ImportError as error:
        raise RefusedError(
            "managed identity", "azure-identity is not installed", "pip install 'geomill[azure]', or set GEOMILL_IDENTITY=none"
        ) from error
    return ManagedIdentityCredential(client_id=client_id, **_PATIENCE)
