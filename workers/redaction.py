"""What may not be written anywhere: credentials in URLs, connection strings and signed links."""

from __future__ import annotations

import re

_MASK = "***"
_PATTERNS = (
    # scheme://user:password@host
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s/@]+@", re.IGNORECASE), rf"\1:{_MASK}@"),
    # password=… in a libpq string, token=… in a URL or a message
    (
        re.compile(
            r"\b(password|passwd|pwd|secret|token|api_?key|access_?key|sig|signature|x-amz-signature|x-amz-credential|awsaccesskeyid)"
            r"(\s*[=:]\s*)('[^']*'|\"[^\"]*\"|[^\s&,;'\"]+)",
            re.IGNORECASE,
        ),
        rf"\1\2{_MASK}",
    ),
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {_MASK}"),
)


def redact(text: str) -> str:
    """The same text with its credentials masked."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
