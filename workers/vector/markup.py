"""What an XML file is, without a parser: its prolog is read, and nothing in it is expanded or followed.

A file with a document type is refused: entities are how a small file becomes a large one, or another file's content.
"""

from __future__ import annotations

import re
from typing import Literal

from workers.errors import TaskError

Root = Literal["kml", "gpx", "gml"]

_PROLOG = re.compile(rb"\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*)*", re.DOTALL)
_ELEMENT = re.compile(rb"<(?:[\w.-]+:)?([\w.-]+)((?:[^>\"']|\"[^\"]*\"|'[^']*')*)>")
_GML = b"http://www.opengis.net/gml"
_VRT = b"<OGRVRTDataSource"


def root(head: bytes) -> Root | None:
    """The kind of document that begins so; None for one that is not taken."""
    start = _PROLOG.match(head.removeprefix(b"\xef\xbb\xbf"))
    text = head.removeprefix(b"\xef\xbb\xbf")[start.end() if start else 0 :]
    if text[:9].upper() == b"<!DOCTYPE" or b"<!ENTITY" in text:
        raise TaskError(
            "XML_REFUSED", "The file has a document type (<!DOCTYPE or <!ENTITY), which is not taken", category="data", field="source_path",
            remediation="Save it without a document type; geographic XML does not need one",
        )  # fmt: skip
    element = _ELEMENT.match(text)
    if element is None or _VRT in head:
        return None
    name, attributes = element[1], element[2]
    if name in (b"kml", b"gpx"):
        return "kml" if name == b"kml" else "gpx"
    return "gml" if _GML in attributes else None
